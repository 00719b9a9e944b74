"""What a deployment is told: from the environment, from the stack as it stands, or asked for at the first time."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

STAGE: Final = re.compile(r"[a-z][a-z0-9-]{0,30}")

Ask = Callable[[str], str]
"""Asks a person and gives the answer; raises EOFError where nobody is there."""


class NotTold(Exception):
    """Something is missing or wrong, and nobody is there to ask."""


@dataclass(frozen=True, slots=True)
class Option:
    """One parameter of the stack: its variable, what to ask a person, and whether a first deployment needs it."""

    parameter: str
    variable: str
    question: str = ""
    needed: bool = False


OPTIONS: Final = (
    Option("MailFrom", "TILL_MAIL_FROM", "Address that mails come from (verified in SES)", needed=True),
    Option("StripePublishableKey", "TILL_STRIPE_PUBLISHABLE_KEY", "Stripe's publishable key (pk_…)", needed=True),
    Option("DomainName", "TILL_DOMAIN_NAME"),
    Option("CertificateArn", "TILL_CERTIFICATE_ARN"),
    Option("PublicBaseUrl", "TILL_PUBLIC_BASE_URL"),
    Option("DirectMerchant", "TILL_DIRECT_MERCHANT"),
    Option("StripePace", "TILL_STRIPE_PACE"),
    Option("DailyBounds", "TILL_DAILY_BOUNDS"),
    Option("AlarmEmail", "TILL_ALARM_EMAIL"),
    Option("LogDays", "TILL_LOG_DAYS"),
)


def stack_name(stage: str) -> str:
    """The stack of a stage. Raises NotTold for a name that AWS would not take everywhere."""
    if not STAGE.fullmatch(stage):
        raise NotTold("STAGE is a name of small letters, digits and dashes, such as prod: make deploy STAGE=prod")
    return f"till-{stage}"


def parameters(env: Mapping[str, str], standing: Mapping[str, str] | None, ask: Ask) -> dict[str, str]:
    """The parameters that are said now; what is not said keeps the value it has, or the template's own.

    `standing` is what the stack has, None where there is none yet. Raises NotTold.
    """
    said: dict[str, str] = {}
    for option in OPTIONS:
        if option.variable in env:
            said[option.parameter] = env[option.variable].strip()
        elif standing is None and option.needed:
            said[option.parameter] = _answer(option, ask)
    domain = said.get("DomainName", (standing or {}).get("DomainName", ""))
    if domain and not said.get("CertificateArn", (standing or {}).get("CertificateArn", "")):
        raise NotTold("TILL_DOMAIN_NAME needs TILL_CERTIFICATE_ARN: a certificate for it, in ACM, in the same region")
    if domain and "PublicBaseUrl" not in said:
        said["PublicBaseUrl"] = f"https://{domain}"
    return said


def _answer(option: Option, ask: Ask) -> str:
    try:
        answer = ask(option.question).strip()
    except EOFError:
        answer = ""
    if not answer:
        raise NotTold(f"{option.variable} is missing: {option.question}")
    return answer
