"""Charges and the balance transactions that capture gives them later (https://docs.stripe.com/api/charges).

With `capture_method=automatic_async`, the default, a charge has no balance transaction until `charge.updated`
(https://docs.stripe.com/payments/payment-intents/asynchronous-capture).
"""

from typing import Final

from infra.local.stripe_sandbox.balance import book, processing_fee, settle
from infra.local.stripe_sandbox.calls import Call
from infra.local.stripe_sandbox.cards import Decline
from infra.local.stripe_sandbox.faults import JsonObject
from infra.local.stripe_sandbox.world import Instrument, Ledger, World, new_id

_REASONS: Final = {
    "insufficient_funds": "The bank returned the decline code `insufficient_funds`.",
    "fraudulent": "Stripe blocked this payment as too risky.",
}


def make_charge(
    call: Call, intent: JsonObject, method: JsonObject, decline: Decline | None, secured: bool
) -> JsonObject:
    """Store the charge of one attempt: succeeded and not yet captured, or failed. `secured` = 3-D Secure was passed."""
    instrument = call.ledger.instruments[method["id"]]
    made: JsonObject = {
        "id": new_id("ch_"),
        "object": "charge",
        "amount": intent["amount"],
        "amount_captured": 0 if decline else intent["amount"],
        "amount_refunded": 0,
        "application": intent["application"],
        "application_fee": None,
        "application_fee_amount": intent["application_fee_amount"],
        "balance_transaction": None,
        "billing_details": dict(method["billing_details"]),
        "calculated_statement_descriptor": _descriptor(call.ledger, intent),
        "captured": decline is None,
        "created": call.world.now(),
        "currency": intent["currency"],
        "customer": intent["customer"],
        "description": intent["description"],
        "disputed": False,
        "failure_balance_transaction": None,
        "failure_code": decline.code if decline else None,
        "failure_message": decline.message if decline else None,
        "fraud_details": {},
        "livemode": False,
        "metadata": dict(intent["metadata"]),
        "on_behalf_of": None,
        "outcome": _outcome(decline),
        "paid": decline is None,
        "payment_intent": intent["id"],
        "payment_method": method["id"],
        "payment_method_details": _details(method, instrument, intent, secured),
        "presentment_details": None,
        "radar_options": {},
        "receipt_email": intent["receipt_email"],
        "receipt_number": None,
        "receipt_url": None,
        "refunded": False,
        "review": None,
        "shipping": intent["shipping"],
        "source": None,
        "source_transfer": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": intent["statement_descriptor_suffix"],
        "status": "failed" if decline else "succeeded",
        "transfer_data": None,
        "transfer_group": intent["transfer_group"],
    }
    if decline is None:
        made["receipt_url"] = f"{call.world.base_url}/receipts/{made['id']}"
        call.ledger.uncaptured.append(made["id"])
    return call.ledger.put(made)


def _descriptor(ledger: Ledger, intent: JsonObject) -> str:
    prefix = str(ledger.profile["settings"]["payments"]["statement_descriptor"])
    suffix = intent["statement_descriptor_suffix"]
    return f"{prefix}* {suffix}" if suffix else prefix


def _outcome(decline: Decline | None) -> JsonObject:
    if decline is None:
        return {
            "advice_code": None,
            "network_advice_code": None,
            "network_decline_code": None,
            "network_status": "approved_by_network",
            "reason": None,
            "risk_level": "normal",
            "risk_score": 12,
            "seller_message": "Payment complete.",
            "type": "authorized",
        }
    reason = decline.decline_code or decline.code
    blocked = decline.outcome == "blocked"
    return {
        "advice_code": decline.advice_code,
        "network_advice_code": None,
        "network_decline_code": decline.network_decline_code,
        "network_status": "not_sent_to_network" if blocked else "declined_by_network",
        "reason": "highest_risk_level" if blocked else reason,
        "risk_level": "highest" if blocked else "normal",
        "risk_score": 92 if blocked else 12,
        "seller_message": _REASONS.get(reason, "The bank did not return any further details with this decline."),
        "type": decline.outcome,
    }


def _details(method: JsonObject, instrument: Instrument, intent: JsonObject, secured: bool) -> JsonObject:
    face = method["card"]
    address = method["billing_details"]["address"]
    return {
        "card": {
            "amount_authorized": intent["amount"],
            "authorization_code": None,
            "brand": face["brand"],
            "checks": {
                "address_line1_check": "pass" if address["line1"] else None,
                "address_postal_code_check": "pass" if address["postal_code"] else None,
                # A card that is already saved is charged without its code.
                "cvc_check": (
                    instrument.card.cvc_check if instrument.cvc_given and method["customer"] is None else None
                ),
            },
            "country": face["country"],
            "exp_month": face["exp_month"],
            "exp_year": face["exp_year"],
            "extended_authorization": {"status": "disabled"},
            "fingerprint": face["fingerprint"],
            "funding": face["funding"],
            "incremental_authorization": {"status": "unavailable"},
            "installments": None,
            "last4": face["last4"],
            "mandate": None,
            "multicapture": {"status": "unavailable"},
            "network": face["brand"],
            "network_token": {"used": False},
            "network_transaction_id": None,
            "overcapture": {"maximum_amount_capturable": intent["amount"], "status": "unavailable"},
            "regulated_status": face["regulated_status"],
            "three_d_secure": _three_d_secure() if secured else None,
            "wallet": None,
        },
        "type": "card",
    }


def _three_d_secure() -> JsonObject:
    return {
        "authentication_flow": "challenge",
        "electronic_commerce_indicator": "05",
        "exemption_indicator": None,
        "result": "authenticated",
        "result_reason": None,
        "transaction_id": new_id("", 32),
        "version": "2.2.0",
    }


def capture_waiting(world: World, ledger: Ledger) -> list[JsonObject]:
    """Capture what succeeded since the last time: the balance transaction appears, and `charge.updated` says so."""
    waiting, ledger.uncaptured[:] = list(ledger.uncaptured), []
    captured = []
    for identifier in waiting:
        charge = ledger.get("charge", identifier, param="charge")
        capture(world, ledger, charge)
        captured.append(charge)
    return captured


def capture(world: World, ledger: Ledger, charge: JsonObject) -> None:
    """Give one charge its balance transaction, in the currency the account is paid out in."""
    settled = settle(charge["amount"], charge["currency"], ledger.default_currency)
    fees: list[JsonObject] = [
        {
            "amount": processing_fee(settled.amount, settled.currency),
            "application": None,
            "currency": settled.currency,
            "description": "Stripe processing fees",
            "type": "stripe_fee",
        }
    ]
    if charge["application_fee_amount"]:
        share = settle(charge["application_fee_amount"], charge["currency"], ledger.default_currency)
        fees.append(
            {
                "amount": share.amount,
                "application": world.application,
                "currency": settled.currency,
                "description": "Application fee",
                "type": "application_fee",
            }
        )
    movement = book(
        world,
        ledger,
        settled,
        source=charge["id"],
        kind="charge",
        category="charge",
        fees=fees,
        description=charge["description"],
    )
    charge["balance_transaction"] = movement["id"]
    if charge["id"] in ledger.uncaptured:
        ledger.uncaptured.remove(charge["id"])
    world.raise_event(ledger, "charge.updated", charge, None, {"balance_transaction": None})


def retrieve_charge(call: Call) -> JsonObject:
    """GET /v1/charges/{id}."""
    return call.ledger.get("charge", call.path["id"], param="id", in_path=True)
