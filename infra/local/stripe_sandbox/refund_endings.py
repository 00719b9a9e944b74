"""How a refund ends after it was made: the bank takes it, sends it back, or never lets it through.

https://docs.stripe.com/refunds#failed-refunds: a refund can fail after it was reported as succeeded; its money then
comes back to the balance by a transaction of its own. Statuses: https://docs.stripe.com/api/refunds/object. The test
cards that end so: https://docs.stripe.com/testing#refunds.
"""

from dataclasses import replace
from datetime import timedelta
from typing import Final

from infra.local.stripe_sandbox.balance import book, settle
from infra.local.stripe_sandbox.faults import JsonObject
from infra.local.stripe_sandbox.world import Ledger, RefundToCome, World

LATER: Final = timedelta(minutes=10)
"""Stripe says "some time later"; a time that a clock can be moved past."""
CARD_GONE: Final = "expired_or_canceled_card"
_MOVES: Final = {
    "pending": frozenset({"requires_action", "succeeded", "failed", "canceled"}),
    "requires_action": frozenset({"pending", "succeeded", "failed", "canceled"}),
    "succeeded": frozenset({"failed", "canceled"}),
    "failed": frozenset[str](),
    "canceled": frozenset[str](),
}
_GIVEN_UP: Final = frozenset({"failed", "canceled"})


def begin(world: World, ledger: Ledger, refund: JsonObject) -> None:
    """Let a refund that was just made be what its card makes of it."""
    behaviour = ledger.instruments[refund["payment_method"]].card.refunding
    if behaviour == "at_once":
        return
    if behaviour == "pending":
        refund["status"] = "pending"
        refund["pending_reason"] = "processing"
    ledger.refunds_to_come.append(RefundToCome(refund["id"], world.moment() + LATER))


def end_waiting(world: World, ledger: Ledger) -> list[JsonObject]:
    """End every refund whose time has come; those that were ended by hand meanwhile stay as they are."""
    now = world.moment()
    due = [waiting for waiting in ledger.refunds_to_come if waiting.due <= now]
    ledger.refunds_to_come[:] = [waiting for waiting in ledger.refunds_to_come if waiting.due > now]
    ended = []
    for waiting in due:
        refund = ledger.get("refund", waiting.refund, param="id")
        if refund["status"] == "pending":
            move(world, ledger, refund, "succeeded")
        elif refund["status"] == "succeeded":
            move(world, ledger, refund, "failed", CARD_GONE)
        else:
            continue
        ended.append(refund)
    return ended


def move(world: World, ledger: Ledger, refund: JsonObject, status: str, reason: str | None = None) -> None:
    """Put a refund into another status, with its money and its events. ValueError where Stripe never goes that way."""
    if status not in _MOVES[refund["status"]]:
        raise ValueError(f"a refund that is {refund['status']} does not become {status}")
    previous: JsonObject = {"status": refund["status"]}
    refund["status"] = status
    if refund.pop("pending_reason", None) is not None:
        previous["pending_reason"] = "processing"
    if status in _GIVEN_UP:
        previous.update({"failure_balance_transaction": None, "failure_reason": None})
        refund["failure_reason"] = reason if status == "failed" else None
        _give_back(world, ledger, refund)
    world.raise_event(ledger, "refund.updated", refund, None, previous)
    world.raise_event(ledger, "charge.refund.updated", refund, None, previous)
    if status == "failed":
        world.raise_event(ledger, "refund.failed", refund, None)


def _give_back(world: World, ledger: Ledger, refund: JsonObject) -> None:
    charge = ledger.get("charge", refund["charge"], param="charge")
    charge["amount_refunded"] -= refund["amount"]
    charge["refunded"] = False
    # At the rate of the refund itself: what was taken off the balance is what comes back to it.
    taken = ledger.get("balance_transaction", refund["balance_transaction"], param="id")
    settled = settle(refund["amount"], refund["currency"], ledger.default_currency)
    movement = book(
        world,
        ledger,
        replace(settled, amount=-taken["amount"]),
        source=refund["id"],
        kind="refund_failure",
        category="refund_failure",
        fees=[],
        description=f"REFUND FAILURE ({refund['id']})",
    )
    refund["failure_balance_transaction"] = movement["id"]
