"""The whole of a deployment, in the order in which each part needs the one before; doing it again changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from chalicelib.services.notices import ALLOWED
from infra.deploy import secrets
from infra.deploy.artefacts import ensure_bucket, upload_template, upload_zip
from infra.deploy.first_merchant import (
    FirstMerchant,
    ask_about_merchant,
    has_merchant,
    make_first_merchant,
    ports_of,
)
from infra.deploy.options import Ask, parameters, stack_name
from infra.deploy.stack import DeployFailed, Say, Stack, Stacks
from infra.package.build import Package

UNKNOWN_URL: Final = "https://not-known-yet.invalid"
"""The template's own PublicBaseUrl, until the stack stands and its address is known."""

Clients = Callable[[str], Any]
"""A boto3 client of a service, for the account and region to deploy to."""


@dataclass(frozen=True, slots=True)
class Account:
    """Where to deploy to. `endpoints` are settings of endpoints other than AWS's own, of which there are none."""

    clients: Clients
    region: str
    account_id: str
    endpoints: Mapping[str, str] = field(default_factory=dict)

    @property
    def bucket(self) -> str:
        """The bucket of packages, one for all stages."""
        return f"till-packages-{self.account_id}-{self.region}"

    @property
    def partition_suffix(self) -> str:
        """What addresses of AWS end with here."""
        return "amazonaws.com.cn" if self.region.startswith("cn-") else "amazonaws.com"


@dataclass(frozen=True, slots=True)
class Deployer:
    """Deploys and removes; says what it does line by line, and asks `ask` for what nobody has told, `ask_secret` for
    what nobody should see."""

    account: Account
    stacks: Stacks
    say: Say
    ask: Ask
    ask_secret: Ask

    def deploy(self, stage: str, package: Package, env: Mapping[str, str]) -> Stack:
        """Bring a stage to this package. Raises NotTold, DeployFailed, TillError."""
        name = stack_name(stage)
        standing = self.stacks.find(name)
        said = {"Stage": stage, **parameters(env, standing.parameters if standing else None, self.ask)}
        # Asked at once, not after minutes of waiting.
        merchant = ask_about_merchant(env, self.ask) if standing is None else None
        ssm, s3 = self.account.clients("ssm"), self.account.clients("s3")
        publishable_key = {**(standing.parameters if standing else {}), **said}["StripePublishableKey"]
        for written in secrets.ensure_secrets(ssm, stage, publishable_key, env, self.ask_secret):
            self.say(f"Wrote {secrets.path_of(stage)}/{written} to Parameter Store")
        said["SecretsVersion"] = secrets.secrets_version(ssm, stage)
        bucket = self.account.bucket
        if ensure_bucket(s3, bucket, self.account.region, self.account.account_id):
            self.say(f"Made the bucket {bucket}")
        template = upload_template(s3, bucket, package.template, upload_zip(s3, bucket, package.zip))
        url = f"https://{bucket}.s3.{self.account.region}.{self.account.partition_suffix}/{template}"
        self.say(f"Changing the stack {name}")
        if not self.stacks.change(name, url, said):
            self.say(f"Nothing to change: {name} is this package already")
        stack = self._with_address(name)
        self._tell(stack, self._first_merchant(name, stack, lambda: merchant or ask_about_merchant(env, self.ask)))
        return stack

    def put_secret(self, stage: str, last: str) -> None:
        """Take one secret anew, and have the Lambdas read it. Raises NotTold, DeployFailed."""
        name = stack_name(stage)
        ssm = self.account.clients("ssm")
        secrets.put_secret(ssm, stage, last, self.ask_secret)
        self.say(f"Wrote {secrets.path_of(stage)}/{last} to Parameter Store")
        if self.stacks.find(name) is not None:
            self.stacks.change(name, None, {"SecretsVersion": secrets.secrets_version(ssm, stage)})
            self.say("The Lambdas begin anew and read it")

    def destroy(self, stage: str) -> None:
        """Remove a stage, less what holds data. Raises NotTold, DeployFailed."""
        name = stack_name(stage)
        stack = self.stacks.find(name)
        if stack is None:
            self.say(f"There is no stack {name}")
            return
        self.stacks.remove(name)
        self.say(f"Removed {name}. These are kept, with all that is in them:")
        for kept in ("RecordsTableName", "EventsTableName", "TimersTableName", "FilesBucketName"):
            if kept in stack.outputs:
                self.say(f"  {stack.outputs[kept]}")
        self.say(f"  the secrets under {secrets.path_of(stage)}, and the bucket {self.account.bucket}")
        self.say(
            "Another `make deploy` of this stage begins with new, empty tables: docs/runbook.md says how to go back."
        )

    def _with_address(self, name: str) -> Stack:
        """The stack, told its own address: that is known only once its API stands."""
        stack = self._standing(name)
        if stack.parameters["PublicBaseUrl"] == UNKNOWN_URL:
            url = stack.outputs["EndpointURL"].rstrip("/")
            self.say(f"Telling the stack its address, {url}")
            self.stacks.change(name, None, {"PublicBaseUrl": url})
            stack = self._standing(name)
        return stack

    def _first_merchant(self, name: str, stack: Stack, told: Callable[[], Mapping[str, str]]) -> FirstMerchant | None:
        ssm = self.account.clients("ssm")
        ports = ports_of(stack, ssm, self.account.region, self.account.endpoints)
        if has_merchant(ports):
            return None
        livemode = stack.parameters["StripePublishableKey"].startswith("pk_live_")
        made = make_first_merchant(ports, told(), livemode=livemode)
        # Its webhooks come to an address of its own, which the Lambdas must know to be meant.
        self.stacks.change(name, None, {"DirectMerchant": made.merchant_id})
        return made

    def _standing(self, name: str) -> Stack:
        stack = self.stacks.find(name)
        if stack is None:
            raise DeployFailed(f"{name} is gone")
        return stack

    def _tell(self, stack: Stack, made: FirstMerchant | None) -> None:
        base = stack.parameters["PublicBaseUrl"]
        self.say("")
        for output in sorted(stack.outputs):
            self.say(f"  {output:22} {stack.outputs[output]}")
        self.say(f"  {'Address':22} {base}")
        if made is None:
            return
        self.say("")
        self.say(
            f"The first merchant is {made.merchant_id}. Its set-up token, told this once, is an API key that may do"
        )
        self.say("everything; make narrower ones with it and revoke it:")
        self.say(f"  {made.token}")
        self.say("")
        self.say("Next, in Stripe's dashboard, add a webhook endpoint for your account:")
        self.say(f"  address  {base}/webhooks/stripe/{made.merchant_id}")
        self.say(f"  events   {' '.join(sorted(ALLOWED))}")
        self.say(
            f"then take its signing secret: make secret STAGE={stack.parameters['Stage']} NAME=stripe-webhook-secrets"
        )
        self.say("Until then nothing that Stripe says is believed.")
