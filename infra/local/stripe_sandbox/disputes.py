"""Disputes that the test cards for them cause, some time after the payment (https://docs.stripe.com/api/disputes)."""

from dataclasses import replace
from datetime import timedelta
from typing import Final

from infra.local.stripe_sandbox.balance import book, settle
from infra.local.stripe_sandbox.faults import JsonObject
from infra.local.stripe_sandbox.world import Ledger, World, new_id

FEE: Final = 1500
_TIME_TO_ANSWER: Final = timedelta(days=9)
_NETWORK_REASONS: Final = {"fraudulent": "10.4", "product_not_received": "13.1"}
_EVIDENCE: Final = (
    "access_activity_log", "billing_address", "cancellation_policy", "cancellation_policy_disclosure",
    "cancellation_rebuttal", "customer_communication", "customer_email_address", "customer_name",
    "customer_purchase_ip", "customer_signature", "duplicate_charge_documentation", "duplicate_charge_explanation",
    "duplicate_charge_id", "product_description", "receipt", "refund_policy", "refund_policy_disclosure",
    "refund_refusal_explanation", "service_date", "service_documentation", "shipping_address", "shipping_carrier",
    "shipping_date", "shipping_documentation", "shipping_tracking_number", "uncategorized_file", "uncategorized_text",
)  # fmt: skip


def open_dispute(world: World, ledger: Ledger, charge: JsonObject, reason: str) -> JsonObject:
    """Take the charge's money back with the dispute fee, and say so."""
    identifier = new_id("dp_")
    currency = charge["currency"]
    settled = settle(charge["amount"], currency, ledger.default_currency)
    fee: JsonObject = {
        "amount": FEE,
        "application": None,
        "currency": settled.currency,
        "description": "Dispute fee",
        "type": "stripe_fee",
    }
    movement = book(
        world,
        ledger,
        replace(settled, amount=-settled.amount),
        source=identifier,
        kind="adjustment",
        category="dispute",
        fees=[fee],
        description=f"Chargeback withdrawal for {charge['id']}",
    )
    card = charge["payment_method_details"]["card"]
    dispute = ledger.put(
        {
            "id": identifier,
            "object": "dispute",
            "amount": charge["amount"],
            "balance_transactions": [dict(movement)],
            "charge": charge["id"],
            "created": world.now(),
            "currency": currency,
            "enhanced_eligibility_types": [],
            "evidence": {**dict.fromkeys(_EVIDENCE), "enhanced_evidence": {}},
            "evidence_details": {
                "due_by": world.later(_TIME_TO_ANSWER),
                "enhanced_eligibility": {},
                "has_evidence": False,
                "past_due": False,
                "submission_count": 0,
                "submission_method": "not_submitted",
            },
            "is_charge_refundable": False,
            "livemode": False,
            "metadata": {},
            "payment_intent": charge["payment_intent"],
            "payment_method_details": {
                "card": {
                    "brand": card["brand"],
                    "case_type": "chargeback",
                    "network": card["network"],
                    "network_reason_code": _NETWORK_REASONS[reason],
                },
                "type": "card",
            },
            "reason": reason,
            "status": "needs_response",
        }
    )
    charge["disputed"] = True
    world.raise_event(ledger, "charge.dispute.created", dispute, None)
    world.raise_event(ledger, "charge.dispute.funds_withdrawn", dispute, None)
    return dispute
