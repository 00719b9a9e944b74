"""The settings of a deployment: read from the environment once, checked all at once, frozen afterwards."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Final
from urllib.parse import urlsplit

STRIPE_JS_URL: Final = "https://js.stripe.com/endive/stripe.js"
"""Stripe.js of the API release that the stripe package pins (https://docs.stripe.com/sdks/stripejs-versioning)."""

# What Stripe asks a content security policy to allow: https://docs.stripe.com/security/guide#content-security-policy
STRIPE_SCRIPT_ORIGINS: Final = ("https://js.stripe.com", "https://*.js.stripe.com")
STRIPE_FRAME_ORIGINS: Final = ("https://js.stripe.com", "https://*.js.stripe.com", "https://hooks.stripe.com")
STRIPE_CONNECT_ORIGINS: Final = ("https://api.stripe.com",)

FORM_SECRET_LENGTH: Final = 32
"""The fewest characters of the secret that signs form tokens."""

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{3,255}")
_REGION: Final = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")
_STAGE: Final = re.compile(r"[a-z][a-z0-9-]{0,30}")
_ADDRESS: Final = re.compile(r"[^\s@,;<>\"]+@[^\s@,;<>\"]+\.[^\s@,;<>\"]+")
_SECRET_KEY: Final = re.compile(r"(sk|rk)_(live|test)_[A-Za-z0-9_]{8,}")
_PUBLISHABLE_KEY: Final = re.compile(r"pk_(live|test)_[A-Za-z0-9_]{8,}")
_WEBHOOK_SECRET: Final = re.compile(r"whsec_\S{8,}")
_ORIGIN: Final = re.compile(r"https?://[A-Za-z0-9*.\-\[\]:]+")
_PACE: Final = re.compile(r"[1-9][0-9]{0,4}/[1-9][0-9]{0,4}")
_BOUNDS: Final = re.compile(r"[1-9][0-9]{0,8}/[1-9][0-9]{0,8}")
_PATH: Final = re.compile(r"(/[a-z0-9-]+)+")
_MERCHANT: Final = re.compile(r"mer_[a-z0-9][a-z0-9-]*")


class SettingsError(Exception):
    """The environment is not complete or not valid; `problems` has one line for each variable at fault."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("The settings cannot be used:\n" + "\n".join(f"  {problem}" for problem in problems))
        self.problems = problems


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What everybody may know of one deployment. Endpoints are None where the provider's own are meant.

    `stripe_pace` is how many requests a second Stripe is sent, to one endpoint and in all; None is what suits an
    account with Stripe's usual limits. `daily_bounds` are how many invoices the schedule of one merchant issues in a
    day at most, and how many of them it charges; None is the usual. `secrets_path` is where Parameter Store keeps the
    secrets, None where the environment has them itself.
    """

    stage: str
    public_base_url: str
    region: str
    records_table: str
    events_table: str
    timers_table: str
    billing_queue_url: str
    charges_queue_url: str
    work_queue_url: str
    mail_from: str
    stripe_publishable_key: str
    stripe_livemode: bool
    secrets_path: str | None = None
    dynamodb_endpoint: str | None = None
    aws_endpoint: str | None = None
    stripe_api_base: str | None = None
    stripe_js_url: str = STRIPE_JS_URL
    stripe_script_origins: tuple[str, ...] = STRIPE_SCRIPT_ORIGINS
    stripe_frame_origins: tuple[str, ...] = STRIPE_FRAME_ORIGINS
    stripe_connect_origins: tuple[str, ...] = STRIPE_CONNECT_ORIGINS
    direct_merchant: str | None = None
    stripe_pace: tuple[int, int] | None = None
    daily_bounds: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(Facts):
    """One deployment with its secrets, which never show in a repr."""

    stripe_secret_key: str = field(repr=False)
    stripe_webhook_secrets: tuple[str, ...] = field(repr=False)
    form_secret: str = field(repr=False)


def from_environment(env: Mapping[str, str]) -> Settings:
    """The settings in a mapping of `TILL_…` variables. Raises SettingsError that names every one at fault."""
    reader = _Reader(env)
    secret_key = reader.matching("TILL_STRIPE_SECRET_KEY", _SECRET_KEY, "a key sk_… or rk_… of Stripe")
    facts = _facts(reader)
    if secret_key and facts.stripe_publishable_key and facts.stripe_livemode != _is_live(secret_key):
        reader.problems.append("TILL_STRIPE_PUBLISHABLE_KEY and TILL_STRIPE_SECRET_KEY are of different modes")
    settings = Settings(
        **{each.name: getattr(facts, each.name) for each in fields(facts)},
        stripe_secret_key=secret_key,
        stripe_webhook_secrets=reader.several("TILL_STRIPE_WEBHOOK_SECRETS", _WEBHOOK_SECRET, "secrets whsec_…"),
        form_secret=reader.checked(
            "TILL_FORM_SECRET",
            lambda value: len(value) >= FORM_SECRET_LENGTH,
            f"at least {FORM_SECRET_LENGTH} random characters",
        ),
    )
    reader.raise_problems()
    return settings


def facts_from_environment(env: Mapping[str, str]) -> Facts:
    """The same without the secrets, for a process that needs none or has yet to ask for them. Raises SettingsError."""
    reader = _Reader(env)
    facts = _facts(reader)
    reader.raise_problems()
    return facts


def _facts(reader: _Reader) -> Facts:
    publishable_key = reader.matching("TILL_STRIPE_PUBLISHABLE_KEY", _PUBLISHABLE_KEY, "a key pk_… of Stripe")
    return Facts(
        stage=reader.matching("TILL_STAGE", _STAGE, "lower-case letters, digits and dashes"),
        public_base_url=reader.url("TILL_PUBLIC_BASE_URL"),
        # Lambda sets AWS_REGION itself and lets nobody else set it.
        region=reader.matching("TILL_REGION", _REGION, "a region of AWS", fallback="AWS_REGION"),
        records_table=reader.matching("TILL_RECORDS_TABLE", _NAME, "the name of a table"),
        events_table=reader.matching("TILL_EVENTS_TABLE", _NAME, "the name of a table"),
        timers_table=reader.matching("TILL_TIMERS_TABLE", _NAME, "the name of a table"),
        billing_queue_url=reader.url("TILL_BILLING_QUEUE_URL"),
        charges_queue_url=reader.url("TILL_CHARGES_QUEUE_URL"),
        work_queue_url=reader.url("TILL_WORK_QUEUE_URL"),
        mail_from=reader.matching("TILL_MAIL_FROM", _ADDRESS, "one e-mail address"),
        stripe_publishable_key=publishable_key,
        stripe_livemode=_is_live(publishable_key),
        secrets_path=reader.optional_matching("TILL_SECRETS_PATH", _PATH, "a path of parameters such as /till/prod"),
        dynamodb_endpoint=reader.optional_url("TILL_DYNAMODB_ENDPOINT"),
        aws_endpoint=reader.optional_url("TILL_AWS_ENDPOINT"),
        stripe_api_base=reader.optional_url("TILL_STRIPE_API_BASE"),
        stripe_js_url=reader.optional_url("TILL_STRIPE_JS_URL") or STRIPE_JS_URL,
        stripe_script_origins=reader.origins("TILL_STRIPE_SCRIPT_ORIGINS", STRIPE_SCRIPT_ORIGINS),
        stripe_frame_origins=reader.origins("TILL_STRIPE_FRAME_ORIGINS", STRIPE_FRAME_ORIGINS),
        stripe_connect_origins=reader.origins("TILL_STRIPE_CONNECT_ORIGINS", STRIPE_CONNECT_ORIGINS),
        direct_merchant=reader.optional_matching("TILL_DIRECT_MERCHANT", _MERCHANT, "a merchant's id, mer_…"),
        stripe_pace=_pair(
            reader.optional_matching("TILL_STRIPE_PACE", _PACE, "two numbers: to one endpoint, a slash, in all")
        ),
        daily_bounds=_pair(
            reader.optional_matching("TILL_DAILY_BOUNDS", _BOUNDS, "two numbers: invoices, a slash, charges")
        ),
    )


@cache
def load_facts() -> Facts:
    """What this process knows without asking for secrets, read on the first call. Raises SettingsError."""
    return facts_from_environment(os.environ)


@cache
def load() -> Settings:
    """The settings of this process, read on the first call. Raises SettingsError."""
    return from_environment(os.environ)


def load_with(kept: Mapping[str, str]) -> Settings:
    """The same with secrets that were kept elsewhere, by the names of their variables. Raises SettingsError."""
    return from_environment({**os.environ, **kept})


_OTHER_KEYS: Final = frozenset({"AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_CREDENTIAL_EXPIRATION"})
"""Variables by which botocore would take other credentials than the plain ones, or renew them."""
_OTHER_WAYS: Final = frozenset({
    "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_SQS", "AWS_USE_FIPS_ENDPOINT",
    "AWS_USE_DUALSTACK_ENDPOINT", "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "HTTPS_PROXY", "https_proxy",
})  # fmt: skip
"""Variables by which it would take another way to AWS, or trust others there."""


def aws_keys(endpoint: str | None) -> tuple[str, str, str | None] | None:
    """Access key, secret key and session token of this process, where the environment alone says who it is to AWS.

    That is so in a Lambda, which is given its role's keys when it starts
    (https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html; botocore reads them once too), and for an
    `endpoint` on this machine, to which no file of AWS's tools can lead another way. None: only botocore can tell.
    """
    key, secret = os.environ.get("AWS_ACCESS_KEY_ID"), os.environ.get("AWS_SECRET_ACCESS_KEY")
    asks_for_more = _OTHER_KEYS
    # Nobody else may be spoken to by plain HTTP.
    if endpoint is None or not endpoint.startswith("http://"):
        asks_for_more |= _OTHER_WAYS
        if "AWS_LAMBDA_FUNCTION_NAME" not in os.environ:
            return None
    if not (key and secret) or any(os.environ.get(name) for name in asks_for_more):
        return None
    return key, secret, os.environ.get("AWS_SESSION_TOKEN") or None


def _pair(text: str | None) -> tuple[int, int] | None:
    first, _, second = (text or "").partition("/")
    return (int(first), int(second)) if first and second else None


def _is_live(key: str) -> bool:
    return key.startswith(("sk_live_", "rk_live_", "pk_live_"))


def _is_url(value: str) -> bool:
    """An https address, or an http one of this machine, without user, query and fragment."""
    try:
        parts = urlsplit(value)
        port_fits = parts.port is None or parts.port > 0
    except ValueError:
        return False
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        return False
    plain = not (parts.username or parts.password or parts.query or parts.fragment)
    return parts.scheme in ("http", "https") and bool(parts.hostname) and port_fits and plain and value.isascii()


SECRETS: Final[Mapping[str, str]] = {
    "TILL_STRIPE_SECRET_KEY": "stripe-secret-key",
    "TILL_STRIPE_WEBHOOK_SECRETS": "stripe-webhook-secrets",
    "TILL_FORM_SECRET": "form-secret",
}
"""Each secret's variable, and the last part of its parameter's name."""


class _Reader:
    """Reads variables and collects what is wrong, so that one run shows every mistake. Values are never repeated."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env
        self.problems: list[str] = []

    def raise_problems(self) -> None:
        if self.problems:
            raise SettingsError(tuple(self.problems))

    def checked(self, name: str, fits: Callable[[str], bool], wanted: str, *, fallback: str | None = None) -> str:
        value = self._env.get(name, "").strip() or self._env.get(fallback or name, "").strip()
        if not value:
            self.problems.append(f"{name} is missing: {wanted}")
            return ""
        if not fits(value):
            self.problems.append(f"{name} is not {wanted}")
            return ""
        return value

    def matching(self, name: str, pattern: re.Pattern[str], wanted: str, *, fallback: str | None = None) -> str:
        return self.checked(name, lambda value: pattern.fullmatch(value) is not None, wanted, fallback=fallback)

    def optional_matching(self, name: str, pattern: re.Pattern[str], wanted: str) -> str | None:
        return self.matching(name, pattern, wanted) if self._has(name) else None

    def url(self, name: str) -> str:
        wanted = "an https address (http on this machine alone), without user, query and fragment"
        return self.checked(name, _is_url, wanted).rstrip("/")

    def optional_url(self, name: str) -> str | None:
        return self.url(name) if self._has(name) else None

    def several(self, name: str, pattern: re.Pattern[str], wanted: str) -> tuple[str, ...]:
        def all_fit(value: str) -> bool:
            parts = _split(value)
            return bool(parts) and all(pattern.fullmatch(part) for part in parts)

        return _split(self.checked(name, all_fit, f"{wanted}, separated by commas"))

    def origins(self, name: str, default: tuple[str, ...]) -> tuple[str, ...]:
        return self.several(name, _ORIGIN, "origins such as https://js.stripe.com") if self._has(name) else default

    def _has(self, name: str) -> bool:
        return bool(self._env.get(name, "").strip())


def _split(value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip())
