"""Refunds in the fake of Stripe: never above what is left of the charge, and ended later where a test says so."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from chalicelib.domain.money.amounts import Money
from chalicelib.services.ports import (
    BalanceTransaction,
    Clock,
    IntentStatus,
    MadeRefund,
    MadeStatus,
    NewRefund,
    ProviderRefused,
)
from tests.fakes.stripe_state import State

GIVEN_UP = frozenset({MadeStatus.FAILED, MadeStatus.CANCELED})


class Refunds:
    """Every refund of every account, by id, oldest first."""

    def __init__(self, state: State, clock: Clock) -> None:
        self._state = state
        self._clock = clock
        self._made: dict[str, tuple[str | None, MadeRefund]] = {}

    def make(self, account: str | None, request: NewRefund) -> MadeRefund:
        """A new refund. Raises ProviderRefused where less is left."""
        held = self._state.find(account, request.intent_id, "pi")
        charge = held.intent.charge
        if held.intent.status is not IntentStatus.SUCCEEDED or charge is None:
            raise ProviderRefused("invalid_request_error", "there is no successful charge to refund")
        left = charge.amount - self._refunded(request.intent_id, charge.amount.currency)
        if not left:
            raise ProviderRefused("charge_already_refunded", "it has been refunded")
        if request.amount > left or request.amount.minor < 1:
            raise ProviderRefused("invalid_request_error", "more than is left")
        if charge.balance is None:
            self._state.settle(charge.id)
        pends = held.used_method().behaviour.refunds_pend
        made = MadeRefund(
            id=self._state.new_id("re"),
            status=MadeStatus.PENDING if pends else MadeStatus.SUCCEEDED,
            amount=request.amount,
            intent_id=request.intent_id,
            charge_id=charge.id,
            created_at=self._clock.now().replace(microsecond=0),
            reason=request.reason,
            balance=self._movement(-request.amount),
            metadata=dict(request.metadata),
        )
        self._made[made.id] = (account, made)
        return made

    def of_intent(self, account: str | None, intent_id: str) -> list[MadeRefund]:
        """An intent's refunds, newest first."""
        self._state.find(account, intent_id, "pi")
        return [made for made in reversed(self.of_account(account)) if made.intent_id == intent_id]

    def of_account(self, account: str | None) -> list[MadeRefund]:
        """An account's refunds, oldest first."""
        return [made for owner, made in self._made.values() if owner == account]

    def move(self, refund_id: str, status: MadeStatus, reason: str | None) -> MadeRefund:
        """The bank or the dashboard ends a refund; its money comes back where it is given up."""
        account, made = self._made[refund_id]
        if made.status in GIVEN_UP:
            raise ValueError(f"{refund_id} is {made.status}")
        back = self._movement(made.amount) if status in GIVEN_UP else None
        moved = replace(made, status=status, failure_reason=reason, failure_balance=back)
        self._made[refund_id] = (account, moved)
        return moved

    def movements(self, account: str | None) -> list[tuple[datetime, str, MadeRefund, BalanceTransaction]]:
        """What an account's refunds did to its balance: when, Stripe's word for it, the refund, the movement."""
        found = []
        for made in self.of_account(account):
            for kind, balance in (("refund", made.balance), ("refund_failure", made.failure_balance)):
                if balance is not None:
                    found.append((made.created_at, kind, made, balance))
        return found

    def _refunded(self, intent_id: str, currency: str) -> Money:
        mine = (made for _, made in self._made.values() if made.intent_id == intent_id)
        return Money.total((made.amount for made in mine if made.status not in GIVEN_UP), currency)

    def _movement(self, amount: Money) -> BalanceTransaction:
        return BalanceTransaction(self._state.new_id("txn"), amount, Money.zero(amount.currency), amount)
