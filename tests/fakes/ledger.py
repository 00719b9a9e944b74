"""The lists of a FakeStripe, as the checker reads them, with what a test adds to them or takes away."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from chalicelib.domain.money.amounts import Money
from chalicelib.services.ports import (
    Intent,
    LedgerCharge,
    LedgerEntry,
    LedgerRefund,
    ProviderRefused,
)
from tests.fakes.stripe import FakeStripe


class FakeLedger:
    """The Ledger port on a FakeStripe. Its charges are those that succeeded: the fake keeps no others.

    `made_refunds` by account are what somebody sent back in Stripe's dashboard; `closed` accounts may not be seen.
    """

    def __init__(self, stripe: FakeStripe) -> None:
        self._stripe = stripe
        self.made_refunds: dict[str | None, list[LedgerRefund]] = {}
        self.more_charges: dict[str | None, list[LedgerCharge]] = {}
        self.closed: set[str | None] = set()

    def intents(self, account: str | None) -> Iterator[Intent]:
        """See Ledger."""
        self._open(account)
        for intent in reversed(self._stripe.intents_of(account)):
            yield replace(intent, method=None, charge=None)

    def charges(self, account: str | None) -> Iterator[LedgerCharge]:
        """See Ledger."""
        self._open(account)
        yield from reversed(self.more_charges.get(account, []))
        for charge in reversed(self._stripe.charges_of(account)):
            balance_id = None if charge.balance is None else charge.balance.id
            yield LedgerCharge(charge.id, charge.intent_id, charge.amount, succeeded=True, balance_id=balance_id)

    def refunds(self, account: str | None) -> Iterator[LedgerRefund]:
        """See Ledger."""
        self._open(account)
        yield from reversed(self.made_refunds.get(account, []))
        for made in reversed(self._stripe.refunds.of_account(account)):
            yield LedgerRefund(made.id, made.charge_id, made.intent_id, made.amount, str(made.status), made.created_at)

    def balance_transactions(self, account: str | None) -> Iterator[LedgerEntry]:
        """See Ledger."""
        self._open(account)
        for _, kind, made, moved in reversed(self._stripe.refunds.movements(account)):
            yield LedgerEntry(moved.id, kind, made.id, moved.gross, moved.fee, moved.net)
        for charge in reversed(self._stripe.charges_of(account)):
            if charge.balance is not None:
                entry = charge.balance
                yield LedgerEntry(entry.id, "charge", charge.id, entry.gross, entry.fee, entry.net)

    def refund(self, account: str | None, charge: LedgerCharge, minor: int, status: str = "succeeded") -> None:
        """Somebody sends money back."""
        made = self.made_refunds.setdefault(account, [])
        amount = Money(minor, charge.amount.currency)
        refund_id, now = f"re_listed{len(made) + 1:06d}", self._stripe.now()
        made.append(LedgerRefund(refund_id, charge.id, charge.intent_id, amount, status, now))

    def _open(self, account: str | None) -> None:
        if account in self.closed:
            raise ProviderRefused("account_invalid", "the key does not have access to this account")
