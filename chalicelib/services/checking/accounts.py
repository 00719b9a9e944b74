"""Stripe's accounts as the checker sees them: which there are, and what Stripe lists for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chalicelib.domain.documents.merchants import Merchant
from chalicelib.domain.documents.payments import IntentOwner
from chalicelib.services.checking.books import Books
from chalicelib.services.ports import Intent, Ledger, LedgerCharge, LedgerEntry, LedgerRefund, ProviderRefused


@dataclass(frozen=True, slots=True)
class Account:
    """What Stripe lists for one account."""

    id: str | None
    intents: Sequence[Intent]
    charges: Sequence[LedgerCharge]
    refunds: Sequence[LedgerRefund]
    entries: Sequence[LedgerEntry]

    def refunds_of(self, intent_id: str) -> list[LedgerRefund]:
        """The refunds of one intent."""
        return [refund for refund in self.refunds if refund.intent_id == intent_id]


def accounts_of(books: Books) -> list[str | None]:
    """The accounts on which this deployment has, or may have, taken money; None is its own."""
    known: set[str | None] = {merchant.stripe_account for merchant in books.all(Merchant) if merchant.stripe_account}
    known |= {merchant.stripe_account for merchant in books.all(Merchant) if merchant.can_transact}
    known |= {whose.stripe_account for whose in books.all(IntentOwner)}
    return sorted(known, key=lambda account: account or "")


def read_account(ledger: Ledger, account: str | None) -> Account | None:
    """Stripe's lists of an account; None where Stripe does not let us see it. Raises ProviderUnavailable, -Busy."""
    try:
        return Account(
            account,
            tuple(ledger.intents(account)),
            tuple(ledger.charges(account)),
            tuple(ledger.refunds(account)),
            tuple(ledger.balance_transactions(account)),
        )
    except ProviderRefused:
        return None
