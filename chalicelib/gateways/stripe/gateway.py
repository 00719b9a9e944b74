"""Stripe behind the PaymentProvider port: one pinned API version, every write under the caller's idempotency key.

Importing this module imports the stripe package; it is imported where a gateway is built, and nowhere else.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from secrets import token_hex
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar, cast
from urllib.parse import quote_plus

import stripe

from chalicelib.gateways.stripe import events, replies
from chalicelib.gateways.stripe.errors import declined_intent
from chalicelib.gateways.stripe.patience import Declined, Patience
from chalicelib.gateways.stripe.transport import LoggedClient, http_client
from chalicelib.services.ports import (
    OPEN,
    UNPACED,
    Charge,
    EventPage,
    Intent,
    KeySpent,
    MadeRefund,
    NewIntent,
    NewRefund,
    Pacer,
    ProviderRefused,
    Seam,
)

if TYPE_CHECKING:
    # A megabyte of types that nothing needs at run time; the package leaves them out.
    from stripe.params import (
        PaymentIntentConfirmParams,
        PaymentIntentCreateParams,
        PaymentIntentListParams,
        RefundCreateParams,
        RefundListParams,
    )

API_VERSION: Final = "2026-10-28.endive"
"""The version of requests, webhooks and Stripe.js. A test holds it to the stripe package's own, so that taking a newer
package is a decision about a version too."""

WANTED_TYPE: Final = "card"
LONGEST_KEY: Final = 255
_PAGE: Final = 100

T = TypeVar("T")


class StripeSettings(Protocol):
    """What StripeGateway needs to know of a deployment."""

    @property
    def stripe_secret_key(self) -> str: ...
    @property
    def stripe_api_base(self) -> str | None: ...


class StripeGateway:
    """The port on Stripe's API. One gateway serves every account of the deployment, and many threads."""

    def __init__(
        self,
        settings: StripeSettings,
        *,
        timeout_seconds: float,
        client: stripe.HTTPClient | None = None,
        sleep: Callable[[float], None] = time.sleep,
        seam: Seam = OPEN,
        pacer: Pacer = UNPACED,
    ) -> None:
        """`timeout_seconds` bounds one request; a call with its retries takes at most a quarter more."""
        base = settings.stripe_api_base
        self._http = LoggedClient(client or http_client(timeout_seconds), seam=seam, pacer=pacer)
        self._client = stripe.StripeClient(
            settings.stripe_secret_key,
            stripe_version=API_VERSION,
            base_addresses={} if base is None else {"api": base},
            max_network_retries=0,
            http_client=self._http,
        )
        self._patience = Patience(window_seconds=timeout_seconds / 4, sleep=sleep)

    def create_customer(
        self, account: str | None, *, email: str, name: str, metadata: Mapping[str, str], key: str
    ) -> str:
        """See PaymentProvider."""
        return self._done_without_money(
            account,
            key,
            lambda options: self._client.v1.customers.create(
                {"email": email, "name": name, "metadata": dict(metadata)}, options
            ),
        ).id

    def create_intent(self, account: str | None, request: NewIntent, *, key: str) -> Intent:
        """See PaymentProvider. Refused with `payment_method_types` where the account cannot take cards."""
        params: PaymentIntentCreateParams = {
            "amount": request.amount.minor,
            "currency": request.amount.currency,
            "customer": request.customer_id,
            "metadata": {**request.metadata, **request.hints},
            "allowed_payment_method_types": [WANTED_TYPE],
            "expand": replies.INTENT_EXPAND,
        }
        if request.keep_method:
            params["setup_future_usage"] = "off_session"
        if request.payment_method_id is not None:
            params["payment_method"] = request.payment_method_id
        if request.description is not None:
            params["description"] = request.description
        if request.statement_suffix is not None:
            params["statement_descriptor_suffix"] = request.statement_suffix

        def make(options: stripe.RequestOptions) -> Intent:
            reply = self._client.v1.payment_intents.create(params, options)
            _require_type(reply.payment_method_types)
            return replies.payment_intent(reply)

        def find() -> Intent | None:
            intents = self.find_intents(account, customer_id=request.customer_id)
            known_by = request.metadata.items()
            return next((each for each in intents if known_by <= each.metadata.items()), None)

        return self._done_without_money(account, key, make, find)

    def confirm_with_token(
        self,
        account: str | None,
        intent_id: str,
        *,
        confirmation_token: str,
        return_url: str,
        key: str,
        keep_method: bool | None = None,
    ) -> Intent:
        """See PaymentProvider."""
        options = _writing(account, key)
        params: PaymentIntentConfirmParams = {
            "confirmation_token": confirmation_token,
            "return_url": return_url,
            "expand": replies.INTENT_EXPAND,
        }
        if keep_method is not None:
            # An empty value takes back what an earlier confirm asked for (docs.stripe.com/api/payment_intents/confirm).
            params["setup_future_usage"] = "off_session" if keep_method else ""
        return self._confirmed(
            account, intent_id, lambda: self._client.v1.payment_intents.confirm(intent_id, params, options)
        )

    def confirm_off_session(self, account: str | None, intent_id: str, *, payment_method_id: str, key: str) -> Intent:
        """See PaymentProvider."""
        options = _writing(account, key)
        return self._confirmed(
            account,
            intent_id,
            lambda: self._client.v1.payment_intents.confirm(
                intent_id,
                {"payment_method": payment_method_id, "off_session": True, "expand": replies.INTENT_EXPAND},
                options,
            ),
        )

    def retrieve_intent(self, account: str | None, intent_id: str) -> Intent:
        """See PaymentProvider."""
        reply = self._read(account, f"/v1/payment_intents/{quote_plus(intent_id)}", replies.INTENT_EXPAND)
        return replies.payment_intent(cast("stripe.PaymentIntent", reply))

    def find_intents(self, account: str | None, *, customer_id: str) -> list[Intent]:
        """See PaymentProvider. Page by page, each with its own retries."""
        params: PaymentIntentListParams = {
            "customer": customer_id,
            "limit": _PAGE,
            "expand": [f"data.{path}" for path in replies.INTENT_EXPAND],
        }
        found: list[Intent] = []
        while True:
            page = self._call(lambda: self._client.v1.payment_intents.list(params, _reading(account)))
            found.extend(replies.payment_intent(reply) for reply in page.data)
            if not page.has_more or not page.data:
                return found
            params["starting_after"] = page.data[-1].id

    def cancel_intent(self, account: str | None, intent_id: str, *, key: str) -> Intent:
        """See PaymentProvider. What cannot be cancelled any more comes back as it is, `processing` too."""

        def cancel(options: stripe.RequestOptions) -> Intent:
            return replies.payment_intent(
                self._client.v1.payment_intents.cancel(intent_id, {"expand": replies.INTENT_EXPAND}, options)
            )

        try:
            # Cancelling moves no money, and doing it twice does no more than once.
            return self._done_without_money(account, key, cancel)
        except ProviderRefused as refusal:
            if refusal.code != "payment_intent_unexpected_state":
                raise
            return self.retrieve_intent(account, intent_id)

    def retrieve_charge(self, account: str | None, charge_id: str) -> Charge:
        """See PaymentProvider."""
        reply = self._read(account, f"/v1/charges/{quote_plus(charge_id)}", replies.CHARGE_EXPAND)
        return replies.charge(cast("stripe.Charge", reply))

    def create_refund(self, account: str | None, request: NewRefund, *, key: str) -> MadeRefund:
        """See PaymentProvider. It moves money, so a key under which Stripe failed is left to the caller."""
        params: RefundCreateParams = {
            "payment_intent": request.intent_id,
            "amount": request.amount.minor,
            "metadata": dict(request.metadata),
            "expand": replies.REFUND_EXPAND,
        }
        if request.reason is not None:
            params["reason"] = request.reason
        options = _writing(account, key)
        return replies.refund(self._call(lambda: self._client.v1.refunds.create(params, options)))

    def find_refunds(self, account: str | None, *, intent_id: str) -> list[MadeRefund]:
        """See PaymentProvider. Page by page, each with its own retries."""
        params: RefundListParams = {
            "payment_intent": intent_id,
            "limit": _PAGE,
            "expand": [f"data.{path}" for path in replies.REFUND_EXPAND],
        }
        found: list[MadeRefund] = []
        while True:
            page = self._call(lambda: self._client.v1.refunds.list(params, _reading(account)))
            found.extend(replies.refund(reply) for reply in page.data)
            if not page.has_more or not page.data:
                return found
            params["starting_after"] = page.data[-1].id

    def create_setup_intent(
        self, account: str | None, *, customer_id: str, metadata: Mapping[str, str], key: str
    ) -> Intent:
        """See PaymentProvider. Refused with `payment_method_types` where the account cannot take cards."""
        reply = self._done_without_money(
            account,
            key,
            lambda options: self._client.v1.setup_intents.create(
                {
                    "customer": customer_id,
                    "metadata": dict(metadata),
                    "usage": "off_session",
                    "allowed_payment_method_types": [WANTED_TYPE],
                    "expand": replies.SETUP_EXPAND,
                },
                options,
            ),
        )
        _require_type(reply.payment_method_types)
        return replies.setup_intent(reply)

    def confirm_setup_with_token(
        self, account: str | None, intent_id: str, *, confirmation_token: str, return_url: str, key: str
    ) -> Intent:
        """See PaymentProvider."""
        options = _writing(account, key)
        try:
            reply = self._patience.call(
                lambda: self._client.v1.setup_intents.confirm(
                    intent_id,
                    {
                        "confirmation_token": confirmation_token,
                        "return_url": return_url,
                        "expand": replies.SETUP_EXPAND,
                    },
                    options,
                )
            )
        except Declined as declined:
            carried = declined_intent(declined.error, "setup_intent")
            return (
                replies.setup_intent(carried) if carried is not None else self.retrieve_setup_intent(account, intent_id)
            )
        return replies.setup_intent(reply)

    def retrieve_setup_intent(self, account: str | None, intent_id: str) -> Intent:
        """See PaymentProvider."""
        reply = self._call(
            lambda: self._client.v1.setup_intents.retrieve(
                intent_id, {"expand": replies.SETUP_EXPAND}, _reading(account)
            )
        )
        return replies.setup_intent(reply)

    def list_events(
        self, account: str | None, *, created_after: datetime, types: Sequence[str], cursor: str | None = None
    ) -> EventPage:
        """See PaymentProvider."""
        params = events.page_params(created_after, types, cursor, _PAGE)
        return events.event_page(self._call(lambda: self._client.v1.events.list(params, _reading(account))), account)

    def close(self) -> None:
        """Close the connections that were kept open."""
        self._http.close()

    def _confirmed(self, account: str | None, intent_id: str, operation: Callable[[], stripe.PaymentIntent]) -> Intent:
        try:
            return replies.payment_intent(self._patience.call(operation))
        except Declined as declined:
            carried = declined_intent(declined.error, "payment_intent")
            return replies.payment_intent(carried) if carried is not None else self.retrieve_intent(account, intent_id)

    def _done_without_money(
        self,
        account: str | None,
        key: str,
        make: Callable[[stripe.RequestOptions], T],
        find: Callable[[], T | None] = lambda: None,
    ) -> T:
        """What a call came to that moves no money: under its key, or under a fresh one where Stripe failed with that.

        No fixed series of keys would do: an outage of an hour spends any. `find` looks for what Stripe made although
        it failed; what cannot be found, or is made twice by two at once, is empty, belongs to nobody, and stays so.
        """
        try:
            return self._call(partial(make, _writing(account, key)))
        except KeySpent:
            found = find()
            if found is not None:
                return found
        return self._call(partial(make, _writing(account, f"{key}.{token_hex(8)}")))

    def _read(self, account: str | None, path: str, expand: list[str]) -> replies.Reply:
        """An object as Stripe sends it, by the client's own way for requests of one's own (its README, "Custom
        requests"): the same options, errors and retries, and no object made of each part."""
        options: dict[str, Any] = {"expand": expand, **_reading(account)}
        answer = self._call(lambda: self._client.raw_request("get", path, **options))
        return replies.Reply(answer.data)

    def _call(self, operation: Callable[[], T]) -> T:
        """A call that no bank has a say in; a decline all the same is a refusal."""
        try:
            return self._patience.call(operation)
        except Declined as declined:
            raise ProviderRefused(str(declined), "declined where nothing was to be charged") from declined.error


def _reading(account: str | None) -> stripe.RequestOptions:
    return {"stripe_account": account}


def _writing(account: str | None, key: str) -> stripe.RequestOptions:
    if not 1 <= len(key) <= LONGEST_KEY:
        raise ValueError(f"an idempotency key has 1 to {LONGEST_KEY} characters")
    return {"stripe_account": account, "idempotency_key": key}


def _require_type(offered: list[str]) -> None:
    # Stripe filters the allowed types by what the account can do, and says nothing when none is left.
    if WANTED_TYPE not in offered:
        raise ProviderRefused("payment_method_types", f"the account cannot take a {WANTED_TYPE}")
