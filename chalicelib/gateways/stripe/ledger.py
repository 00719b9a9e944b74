"""Stripe's own lists of an account, page by page: what it says there is, whatever we wrote down.

Importing this module imports the stripe package; it is imported where a ledger is built, and nowhere else.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

import stripe

from chalicelib.domain.money.amounts import Money
from chalicelib.gateways.stripe import replies
from chalicelib.gateways.stripe.gateway import API_VERSION, StripeSettings
from chalicelib.gateways.stripe.patience import Declined, Patience
from chalicelib.gateways.stripe.transport import LoggedClient, http_client
from chalicelib.services.ports import (
    OPEN,
    UNPACED,
    Intent,
    LedgerCharge,
    LedgerEntry,
    LedgerRefund,
    Pacer,
    ProviderRefused,
    Seam,
)

PAGE: Final = 100
"""The most that Stripe puts on one page (https://docs.stripe.com/api/pagination)."""


L = TypeVar("L", bound=stripe.StripeObject)


class StripeLedger:
    """The Ledger port on Stripe's API, for jobs: it asks for one page after the other and holds one at a time."""

    def __init__(
        self,
        settings: StripeSettings,
        *,
        timeout_seconds: float,
        client: stripe.HTTPClient | None = None,
        sleep: Callable[[float], None] = time.sleep,
        seam: Seam = OPEN,
        pacer: Pacer = UNPACED,
        page: int = PAGE,
    ) -> None:
        base = settings.stripe_api_base
        self._http = LoggedClient(client or http_client(timeout_seconds), seam=seam, pacer=pacer)
        self._client = stripe.StripeClient(
            settings.stripe_secret_key,
            stripe_version=API_VERSION,
            base_addresses={} if base is None else {"api": base},
            max_network_retries=0,
            http_client=self._http,
        )
        self._patience = Patience(window_seconds=timeout_seconds, sleep=sleep)
        self._page = page

    def intents(self, account: str | None) -> Iterator[Intent]:
        """See Ledger."""
        service = self._client.v1.payment_intents
        for reply in self._all(lambda page: service.list(page, _of(account))):
            yield replies.payment_intent(reply)

    def charges(self, account: str | None) -> Iterator[LedgerCharge]:
        """See Ledger."""
        service = self._client.v1.charges
        for reply in self._all(lambda page: service.list(page, _of(account))):
            yield LedgerCharge(
                id=reply.id,
                intent_id=_id_of(reply.payment_intent),
                amount=Money(reply.amount, reply.currency),
                succeeded=reply.status == "succeeded",
                balance_id=_id_of(reply.balance_transaction),
            )

    def refunds(self, account: str | None) -> Iterator[LedgerRefund]:
        """See Ledger."""
        service = self._client.v1.refunds
        for reply in self._all(lambda page: service.list(page, _of(account))):
            yield LedgerRefund(
                id=reply.id,
                charge_id=_id_of(reply.charge),
                intent_id=_id_of(reply.payment_intent),
                amount=Money(reply.amount, reply.currency),
                # Only a refund outside any payment system has none; its money has gone as soon as it is made.
                status=reply.status or "succeeded",
                created_at=datetime.fromtimestamp(reply.created, UTC),
            )

    def balance_transactions(self, account: str | None) -> Iterator[LedgerEntry]:
        """See Ledger."""
        service = self._client.v1.balance_transactions
        for reply in self._all(lambda page: service.list(page, _of(account))):
            yield LedgerEntry(
                id=reply.id,
                kind=reply.type,
                source_id=_id_of(reply.source),
                gross=Money(reply.amount, reply.currency),
                fee=Money(reply.fee, reply.currency),
                net=Money(reply.net, reply.currency),
            )

    def close(self) -> None:
        """Close the connections that were kept open."""
        self._http.close()

    def _all(self, ask: Callable[[Any], stripe.ListObject[L]]) -> Iterator[L]:
        """Everything that `ask` lists; it is given each list's own parameters, of which these two are common to all."""
        wanted: dict[str, Any] = {"limit": self._page}
        while True:
            page = self._asked(ask, wanted)
            yield from page.data
            if not page.has_more or not page.data:
                return
            last: Any = page.data[-1]
            wanted = {**wanted, "starting_after": last.id}

    def _asked(self, ask: Callable[[Any], stripe.ListObject[L]], wanted: dict[str, Any]) -> stripe.ListObject[L]:
        try:
            return self._patience.call(lambda: ask(wanted))
        except Declined as declined:
            raise ProviderRefused(str(declined), "declined where nothing was to be charged") from declined.error


def _of(account: str | None) -> stripe.RequestOptions:
    return {"stripe_account": account}


def _id_of(reference: Any) -> str | None:
    return reference if reference is None or isinstance(reference, str) else str(reference.id)
