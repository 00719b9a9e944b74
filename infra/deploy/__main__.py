"""`python -m infra.deploy {deploy|secret|destroy} STAGE [NAME]`: what `make deploy`, `secret` and `destroy` run."""

from __future__ import annotations

import getpass
import os
import sys
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.domain.errors import TillError
from infra.deploy.deployment import Account, Deployer
from infra.deploy.options import NotTold
from infra.deploy.stack import DeployFailed, Stacks
from infra.package.build import build
from infra.package.chalice_run import ChaliceFailed
from infra.package.wheels import WheelsUnavailable

USAGE = "python -m infra.deploy deploy STAGE | secret STAGE NAME | destroy STAGE"


def _ask(question: str) -> str:
    if not sys.stdin.isatty():
        raise EOFError
    return input(f"{question}: ")


def _ask_secret(question: str) -> str:
    # Where it is piped in, it is read from there: never from the command line, which every process can see.
    return getpass.getpass(f"{question}: ") if sys.stdin.isatty() else input()


def _say(line: str) -> None:
    print(line, flush=True)


def _deployer() -> Deployer:
    session = boto3.session.Session()
    if session.region_name is None:
        raise NotTold("AWS_DEFAULT_REGION is missing: the region to deploy to")

    def clients(service: str) -> Any:
        # boto3's types have one signature for each service's name.
        return session.client(service)  # type: ignore[call-overload]

    account_id = clients("sts").get_caller_identity()["Account"]
    account = Account(clients, session.region_name, account_id)
    _say(f"Account {account_id}, region {session.region_name}")
    return Deployer(account, Stacks(clients("cloudformation"), _say), _say, _ask, _ask_secret)


def main(arguments: list[str]) -> int:
    """Do it; the exit code."""
    match arguments:
        case ["deploy", stage]:
            _say("Packaging")
            _deployer().deploy(stage, build(), os.environ)
        case ["secret", stage, name]:
            _deployer().put_secret(stage, name)
        case ["destroy", stage]:
            _deployer().destroy(stage)
        case _:
            _say(USAGE)
            return 2
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (NotTold, DeployFailed, ChaliceFailed, WheelsUnavailable, TillError) as failed:
        sys.exit(f"Not deployed: {failed}")
    except (BotoCoreError, ClientError) as failed:
        sys.exit(f"AWS refused, or could not be reached: {failed}")
