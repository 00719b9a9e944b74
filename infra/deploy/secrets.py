"""A deployment's secrets: in Parameter Store alone, encrypted; never in a template, a log line or a command line."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from typing import Any, Final

from chalicelib.settings import SECRETS
from infra.deploy.options import Ask, NotTold

_SHAPES: Final = {
    "TILL_STRIPE_SECRET_KEY": re.compile(r"(sk|rk)_(live|test)_[A-Za-z0-9_]{8,}"),
    "TILL_STRIPE_WEBHOOK_SECRETS": re.compile(r"whsec_\S{8,}(\s*,\s*whsec_\S{8,})*"),
    "TILL_FORM_SECRET": re.compile(r"\S{32,}"),
}


def path_of(stage: str) -> str:
    """Where the secrets of a stage are; the template says the same."""
    return f"/till/{stage}"


def ensure_secrets(ssm: Any, stage: str, publishable_key: str, env: Mapping[str, str], ask: Ask) -> list[str]:
    """Have all three there; the names of those that were written now.

    What the environment has is written where it differs. What is missing is made up, where nobody else must know it, or
    asked for. Raises NotTold before anything is written.
    """
    there = _values(ssm, stage)
    wanted = {
        variable: env.get(variable, "").strip() or there.get(variable) or _first(variable, ask) for variable in SECRETS
    }
    for variable, value in wanted.items():
        _check(variable, value)
    # Else every page would fail.
    if wanted["TILL_STRIPE_SECRET_KEY"].split("_")[1:2] != publishable_key.split("_")[1:2]:
        raise NotTold("TILL_STRIPE_SECRET_KEY and TILL_STRIPE_PUBLISHABLE_KEY are of different modes, live and test")
    changed = {SECRETS[variable]: value for variable, value in wanted.items() if value != there.get(variable)}
    for last, value in changed.items():
        _put(ssm, stage, last, value)
    return list(changed)


def put_secret(ssm: Any, stage: str, last: str, ask: Ask) -> None:
    """Ask for one secret and write it over the one that is there. Raises NotTold."""
    by_name = {name: variable for variable, name in SECRETS.items()}
    if last not in by_name:
        raise NotTold(f"NAME is one of {', '.join(sorted(by_name))}")
    try:
        value = ask(f"New value of {path_of(stage)}/{last}").strip()
    except EOFError as nobody:
        raise NotTold("nobody is there to ask for the secret") from nobody
    _check(by_name[last], value)
    _put(ssm, stage, last, value)


def secrets_version(ssm: Any, stage: str) -> str:
    """Changes whenever one of the secrets does: the numbers of their versions, in order of their names."""
    versions = {one["Name"]: one["Version"] for one in _parameters(ssm, stage)}
    return ".".join(str(versions[name]) for name in sorted(versions))


def _parameters(ssm: Any, stage: str) -> list[dict[str, Any]]:
    names = [f"{path_of(stage)}/{last}" for last in SECRETS.values()]
    return list(ssm.get_parameters(Names=names, WithDecryption=True)["Parameters"])


def _values(ssm: Any, stage: str) -> dict[str, str]:
    variables = {f"{path_of(stage)}/{last}": variable for variable, last in SECRETS.items()}
    return {variables[one["Name"]]: one["Value"] for one in _parameters(ssm, stage)}


def _put(ssm: Any, stage: str, last: str, value: str) -> None:
    ssm.put_parameter(Name=f"{path_of(stage)}/{last}", Value=value, Type="SecureString", Overwrite=True)


def _first(variable: str, ask: Ask) -> str:
    if variable == "TILL_FORM_SECRET":
        return secrets.token_urlsafe(48)
    if variable == "TILL_STRIPE_WEBHOOK_SECRETS":
        # Stripe makes it with the endpoint, whose address is known only once the stack stands. Until then one that
        # nobody knows refuses every webhook.
        return f"whsec_unset{secrets.token_urlsafe(32)}"
    try:
        return ask("Stripe's secret key (sk_… or rk_…)").strip()
    except EOFError:
        return ""


def _check(variable: str, value: str) -> None:
    # Never with the value: what was mistyped may be another secret.
    if not _SHAPES[variable].fullmatch(value):
        raise NotTold(f"{variable} is missing, or is not what Stripe or Till calls so")
