"""Accounts as the platform reads them (https://docs.stripe.com/api/accounts); the machine adds them, no API does."""

from typing import Any, Final

from infra.local.stripe_sandbox.calls import Call
from infra.local.stripe_sandbox.faults import JsonObject, StripeFault
from infra.local.stripe_sandbox.world import Ledger

SETTINGS: Final[JsonObject] = {
    "branding": {"icon": None, "logo": None, "primary_color": None, "secondary_color": None},
    "card_payments": {
        "decline_on": {"avs_failure": False, "cvc_failure": False},
        "statement_descriptor_prefix": None,
        "statement_descriptor_prefix_kana": None,
        "statement_descriptor_prefix_kanji": None,
    },
    "payouts": {
        "debit_negative_balances": True,
        "schedule": {"delay_days": 2, "interval": "daily"},
        "statement_descriptor": None,
    },
}


def account_profile(name: str, timezone: str) -> JsonObject:
    """What an account says of itself; `settings.payments.statement_descriptor` is the name cut to 22 capitals."""
    descriptor = "".join(letter for letter in name.upper() if letter not in "<>\\'\"*")[:22]
    return {
        "business_profile": {
            "mcc": None, "name": name, "product_description": None, "support_address": None, "support_email": None,
            "support_phone": None, "support_url": None, "url": None,
        },
        "settings": {
            **SETTINGS,
            "dashboard": {"display_name": name, "timezone": timezone},
            "payments": {
                "statement_descriptor": descriptor,
                "statement_descriptor_kana": None,
                "statement_descriptor_kanji": None,
            },
        },
        "charges_enabled": True,
        "payouts_enabled": True,
        "details_submitted": True,
        "requirements": {
            "alternatives": [], "current_deadline": None, "currently_due": [], "disabled_reason": None, "errors": [],
            "eventually_due": [], "past_due": [], "pending_verification": [],
        },
    }  # fmt: skip


def render_account(ledger: Ledger) -> JsonObject:
    """The account object: full dashboard, Stripe collects requirements and bears losses, the account pays fees."""
    active = "active" if ledger.profile["charges_enabled"] else "inactive"
    controller: JsonObject = {"type": "account"}
    if not ledger.platform:
        controller = {
            "fees": {"payer": "account"},
            "is_controller": True,
            "losses": {"payments": "stripe"},
            "requirement_collection": "stripe",
            "stripe_dashboard": {"type": "full"},
            "type": "application",
        }
    return {
        "id": ledger.account,
        "object": "account",
        **ledger.profile,
        "business_type": "company",
        "capabilities": {"card_payments": active, "transfers": active},
        "controller": controller,
        "country": ledger.country,
        "created": ledger.created,
        "default_currency": ledger.default_currency,
        "email": None,
        "metadata": {},
        "tos_acceptance": {"date": ledger.created},
        "type": "standard" if ledger.platform else "none",
    }


def retrieve_account(call: Call) -> JsonObject:
    """GET /v1/account and GET /v1/accounts/{id}: its own, or for the platform one of its connected accounts."""
    wanted = call.path.get("id", call.ledger.account)
    found = call.world.ledgers.get(wanted)
    if found is None or (found is not call.ledger and not call.ledger.platform):
        raise no_access(wanted)
    return render_account(found)


def no_access(account: str) -> StripeFault:
    """Stripe's answer for an account that is not connected (https://docs.stripe.com/error-codes#account-invalid)."""
    return StripeFault(
        403,
        "invalid_request_error",
        f"The provided key does not have access to account '{account}' (or that account does not exist). "
        "Application access may have been revoked.",
        code="account_invalid",
        before_execution=True,
    )


def change_profile(ledger: Ledger, changes: dict[str, Any]) -> None:
    """Set account fields such as `charges_enabled`, as Stripe's own onboarding or review would."""
    unknown = changes.keys() - ledger.profile.keys()
    if unknown:
        raise ValueError(f"the sandbox's accounts have no {', '.join(sorted(unknown))}")
    ledger.profile.update(changes)
