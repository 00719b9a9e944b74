"""Refunds (https://docs.stripe.com/api/refunds): never above what is left of the charge; Stripe keeps its fee.

Some end later than they begin: see `refund_endings`.
"""

from dataclasses import replace
from typing import Final

from infra.local.stripe_sandbox.balance import book, settle
from infra.local.stripe_sandbox.calls import Call
from infra.local.stripe_sandbox.charges import capture
from infra.local.stripe_sandbox.currencies import check_step, spoken
from infra.local.stripe_sandbox.faults import JsonObject, exclusive_parameters, invalid, malformed
from infra.local.stripe_sandbox.parameter_checker import merge_metadata
from infra.local.stripe_sandbox.refund_endings import begin
from infra.local.stripe_sandbox.world import Ledger, Origin, World, new_id

CREATE_MODELLED: Final = frozenset({"amount", "charge", "expand", "metadata", "payment_intent", "reason"})
UPDATE_MODELLED: Final = frozenset({"expand", "metadata"})


def create_refund(call: Call) -> JsonObject:
    """POST /v1/refunds, for a charge or for an intent's charge."""
    params = call.params
    if params.get("charge") and params.get("payment_intent"):
        raise exclusive_parameters("charge", "payment_intent")
    if not params.get("charge") and not params.get("payment_intent"):
        raise invalid(
            "One of the following params should be provided for this request: payment_intent or charge.",
            code="parameter_missing",
        )
    metadata = merge_metadata({}, params.get("metadata"))
    charge = _charge_to_refund(call)
    return refund_charge(
        call.world, call.ledger, charge, params.get("amount"), call.origin, params.get("reason"), metadata
    )


def _charge_to_refund(call: Call) -> JsonObject:
    if call.given("charge"):
        return call.ledger.get("charge", call.params["charge"], param="charge")
    intent = call.ledger.get("payment_intent", call.params["payment_intent"], param="payment_intent")
    if intent["status"] != "succeeded":
        raise invalid(
            f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund.", param="payment_intent"
        )
    return call.ledger.get("charge", intent["latest_charge"], param="payment_intent")


def refund_charge(
    world: World,
    ledger: Ledger,
    charge: JsonObject,
    amount: int | None,
    origin: Origin | None,
    reason: str | None,
    metadata: dict[str, str],
) -> JsonObject:
    """Send money back: the refund, its balance transaction (no fee is returned), and the events."""
    left = charge["amount_captured"] - charge["amount_refunded"]
    if charge["disputed"]:
        raise invalid(f"Charge {charge['id']} has been charged back; cannot issue a refund.", code="charge_disputed")
    if not charge["captured"]:
        raise invalid(f"Charge {charge['id']} has not been captured and cannot be refunded.", param="charge")
    if left == 0:
        raise invalid(f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded")
    wanted = left if amount is None else amount
    if wanted < 1:
        raise malformed(
            "This value must be greater than or equal to 1.", code="parameter_invalid_integer", param="amount"
        )
    check_step(wanted, charge["currency"])
    if wanted > left:
        currency = charge["currency"]
        raise invalid(
            f"Refund amount ({spoken(wanted, currency)}) is greater than unrefunded amount on charge "
            f"({spoken(left, currency)})",
            param="amount",
        )
    if charge["balance_transaction"] is None:
        capture(world, ledger, charge)
    identifier = new_id("re_")
    settled = settle(wanted, charge["currency"], ledger.default_currency)
    movement = book(
        world,
        ledger,
        replace(settled, amount=-settled.amount),
        source=identifier,
        kind="refund",
        category="refund",
        fees=[],
        description=f"REFUND FOR CHARGE ({charge['description'] or charge['id']})",
    )
    refund: JsonObject = ledger.put(
        {
            "id": identifier,
            "object": "refund",
            "amount": wanted,
            "balance_transaction": movement["id"],
            "charge": charge["id"],
            "created": world.now(),
            "currency": charge["currency"],
            "customer": charge["customer"],
            "destination_details": {
                "card": {
                    "reference_status": "pending",
                    "reference_type": "acquirer_reference_number",
                    "type": "refund",
                },
                "type": "card",
            },
            "failure_balance_transaction": None,
            "failure_reason": None,
            "metadata": metadata,
            "payment_intent": charge["payment_intent"],
            "payment_method": charge["payment_method"],
            "reason": reason,
            "receipt_number": None,
            "source_transfer_reversal": None,
            "status": "succeeded",
            "transfer_reversal": None,
        }
    )
    begin(world, ledger, refund)
    previous = {"amount_refunded": charge["amount_refunded"]}
    charge["amount_refunded"] += wanted
    if charge["amount_refunded"] == charge["amount_captured"]:
        charge["refunded"] = True
        previous["refunded"] = False
    world.raise_event(ledger, "refund.created", refund, origin)
    world.raise_event(ledger, "charge.refunded", charge, origin, previous)
    # Stripe fills in the reference at the bank in an update, and says so.
    world.raise_event(ledger, "refund.updated", refund, origin, {"destination_details": None})
    return refund


def retrieve_refund(call: Call) -> JsonObject:
    """GET /v1/refunds/{id}."""
    return call.ledger.get("refund", call.path["id"], param="id", in_path=True)


def update_refund(call: Call) -> JsonObject:
    """POST /v1/refunds/{id}: only metadata can be changed (https://docs.stripe.com/api/refunds/update)."""
    refund = call.ledger.get("refund", call.path["id"], param="id", in_path=True)
    metadata = merge_metadata(refund["metadata"], call.given("metadata"))
    if metadata != refund["metadata"]:
        previous = {"metadata": refund["metadata"]}
        refund["metadata"] = metadata
        call.raise_event("refund.updated", refund, previous)
    return refund
