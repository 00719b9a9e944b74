"""The first merchant of a deployment: made when it is deployed, with the operator's own credentials."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from chalicelib.domain.documents.intake import EventSweep
from chalicelib.services.merchants import create_merchant
from chalicelib.services.ports import DEPLOYMENT, Index, Ports
from chalicelib.settings import SECRETS, from_environment
from chalicelib.wiring import Wired
from infra.deploy.options import Ask, NotTold
from infra.deploy.secrets import path_of
from infra.deploy.stack import Stack

_QUESTIONS: Final = {
    "TILL_MERCHANT_NAME": "Name of the first business",
    "TILL_MERCHANT_TIMEZONE": "Its time zone, such as America/New_York",
    "TILL_MERCHANT_CURRENCY": "Its currency, such as usd",
    "TILL_MERCHANT_COUNTRY": "Its country, such as US",
}


@dataclass(frozen=True, slots=True)
class FirstMerchant:
    """Who was made, and the set-up token: the first API key, which is told this once."""

    merchant_id: str
    token: str


def ports_of(stack: Stack, ssm: Any, region: str, endpoints: Mapping[str, str]) -> Ports:
    """The ports of a deployed stack, for the machine of whoever deploys; their credentials decide what they may."""
    out, given = stack.outputs, stack.parameters
    names = {f"{path_of(given['Stage'])}/{last}": variable for variable, last in SECRETS.items()}
    found = ssm.get_parameters(Names=list(names), WithDecryption=True)["Parameters"]
    settings = from_environment({
        "TILL_STAGE": given["Stage"],
        "TILL_PUBLIC_BASE_URL": given["PublicBaseUrl"],
        "TILL_REGION": region,
        "TILL_RECORDS_TABLE": out["RecordsTableName"],
        "TILL_EVENTS_TABLE": out["EventsTableName"],
        "TILL_TIMERS_TABLE": out["TimersTableName"],
        "TILL_BILLING_QUEUE_URL": out["BillingQueueUrl"],
        "TILL_CHARGES_QUEUE_URL": out["ChargesQueueUrl"],
        "TILL_WORK_QUEUE_URL": out["WorkQueueUrl"],
        "TILL_MAIL_FROM": given["MailFrom"],
        "TILL_STRIPE_PUBLISHABLE_KEY": given["StripePublishableKey"],
        **{names[one["Name"]]: one["Value"] for one in found},
        **endpoints,
    })  # fmt: skip
    return Wired(settings, buyer_waits=False)


def has_merchant(ports: Ports) -> bool:
    """Whether this deployment has one already. Each has a record for reading Stripe's events, listed by an index."""
    return bool(ports.records.newest(EventSweep, Index.BY_MERCHANT, DEPLOYMENT, limit=1).records)


def ask_about_merchant(env: Mapping[str, str], ask: Ask) -> dict[str, str]:
    """What must be known of the first merchant, by variable. Raises NotTold."""
    return {variable: _told(variable, question, env, ask) for variable, question in _QUESTIONS.items()}


def make_first_merchant(ports: Ports, told: Mapping[str, str], *, livemode: bool) -> FirstMerchant:
    """Make it, on the deployment's own Stripe account. Raises TillError."""
    merchant, token = create_merchant(
        ports,
        name=told["TILL_MERCHANT_NAME"],
        timezone=told["TILL_MERCHANT_TIMEZONE"],
        currency=told["TILL_MERCHANT_CURRENCY"].lower(),
        country=told["TILL_MERCHANT_COUNTRY"].upper(),
        # Whoever has an account's secret key runs on it directly: there is nobody to ask whether it is ready.
        ready=True,
        livemode=livemode,
    )
    return FirstMerchant(merchant.id, token)


def _told(variable: str, question: str, env: Mapping[str, str], ask: Ask) -> str:
    try:
        answer = env.get(variable, "").strip() or ask(question).strip()
    except EOFError:
        answer = ""
    if not answer:
        raise NotTold(f"{variable} is missing: {question}")
    return answer
