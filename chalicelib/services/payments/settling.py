"""Fee and net: unknown when a payment is booked, since Stripe captures later; `charge.updated` brings them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from chalicelib.domain.documents.payments import Payment, Settlement
from chalicelib.services.facts import happened
from chalicelib.services.ports import Append, Charge, Ids, Ports, Update, Write
from chalicelib.services.saving import commit, until_won


def settlement_of(charge: Charge | None) -> Settlement | None:
    """What the charge did to the balance, where Stripe knows it already."""
    if charge is None or charge.balance is None:
        return None
    balance = charge.balance
    rate = None if balance.exchange_rate is None else Decimal(balance.exchange_rate)
    return Settlement(balance.gross, balance.fee, balance.net, rate, balance.id)


def settled_event(ids: Ids, payment: Payment, *, now: datetime, actor: str) -> list[Append]:
    """The event that tells fee and net, for the transaction that writes them; none while they are unknown.

    A payment that is booked late comes with both: its listeners are told in the same words as of one that is not.
    """
    if payment.settlement is None:
        return []
    unknown = {"fee": None, "net": None}
    return [happened(ids, "payment.settled", payment, now=now, actor=actor, previous=unknown)]


def settle_payment(ports: Ports, payment_id: str, charge: Charge, *, actor: str, also: Sequence[Write] = ()) -> bool:
    """Write fee and net onto a booked payment; whether they are there now.

    Doing it again changes nothing but `also`.
    """

    def attempt() -> bool:
        payment = ports.records.get(Payment, payment_id)
        settlement = settlement_of(charge)
        if payment.settlement is not None or settlement is None:
            if also:
                commit(ports, [], also)
            return payment.settlement is not None
        settled = replace(payment, settlement=settlement, charge_id=charge.id)
        told = settled_event(ports.ids, settled, now=ports.clock.now(), actor=actor)
        commit(ports, [Update(settled), *told], also)
        return True

    return until_won(ports, attempt)
