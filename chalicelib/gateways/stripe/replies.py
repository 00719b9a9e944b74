"""From Stripe's objects to the port's: what is not needed is left behind here.

A StripeObject is no dict: fields are attributes, an expandable field is a string until it was expanded. A `Reply` is
read the same way.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import stripe

from chalicelib.domain.documents.methods import Method
from chalicelib.domain.money.amounts import Money
from chalicelib.services.ports import (
    BalanceTransaction,
    Charge,
    Decline,
    Intent,
    IntentStatus,
    MadeRefund,
    MadeStatus,
)

INTENT_EXPAND: Final = ["payment_method", "latest_charge.balance_transaction"]
"""What one round trip must carry, so that an Intent is whole."""
SETUP_EXPAND: Final = ["payment_method"]
CHARGE_EXPAND: Final = ["balance_transaction"]
REFUND_EXPAND: Final = ["balance_transaction", "failure_balance_transaction"]


class Reply:
    """A reply's JSON with its fields as attributes, each made when it is asked for.

    For the few replies that are read by the thousand: the stripe package makes an object of every object in a reply,
    some thirty of them for an intent, of which Till looks at five.
    """

    __slots__ = ("_fields",)

    def __init__(self, fields: dict[str, Any]) -> None:
        self._fields = fields

    def __getattr__(self, name: str) -> Any:
        try:
            value = self._fields[name]
        except KeyError:
            raise AttributeError(name) from None
        return Reply(value) if isinstance(value, dict) else value

    def to_dict(self) -> dict[str, Any]:
        """The fields by name."""
        return self._fields


def payment_intent(reply: stripe.PaymentIntent) -> Intent:
    """A PaymentIntent. Its charge is the one that succeeded: Stripe's `latest_charge` may be a failed one."""
    latest = reply.latest_charge
    charged = None if latest is None or isinstance(latest, str) else latest
    succeeded = charged if charged is not None and charged.status == "succeeded" else None
    return Intent(
        id=reply.id,
        status=IntentStatus(reply.status),
        amount=Money(reply.amount, reply.currency),
        livemode=reply.livemode,
        created_at=datetime.fromtimestamp(reply.created, UTC),
        client_secret=reply.client_secret,
        customer_id=_id_of(reply.customer),
        payment_method_id=_id_of(reply.payment_method),
        method=_method(reply.payment_method) or (_charged_method(succeeded) if succeeded is not None else None),
        charge=charge(succeeded) if succeeded is not None else None,
        decline=_decline(reply.last_payment_error),
        metadata=_metadata(reply.metadata),
    )


def setup_intent(reply: stripe.SetupIntent) -> Intent:
    """A SetupIntent: no amount, no charge."""
    return Intent(
        id=reply.id,
        status=IntentStatus(reply.status),
        amount=None,
        livemode=reply.livemode,
        created_at=datetime.fromtimestamp(reply.created, UTC),
        client_secret=reply.client_secret,
        customer_id=_id_of(reply.customer),
        payment_method_id=_id_of(reply.payment_method),
        method=_method(reply.payment_method),
        decline=_decline(reply.last_setup_error),
        metadata=_metadata(reply.metadata),
    )


def charge(reply: stripe.Charge) -> Charge:
    """A charge, with its balance transaction where Stripe has made it already."""
    balance = reply.balance_transaction
    return Charge(
        id=reply.id,
        amount=Money(reply.amount, reply.currency),
        intent_id=_id_of(reply.payment_intent),
        method=_charged_method(reply),
        balance=_expanded(balance),
    )


def refund(reply: stripe.Refund) -> MadeRefund:
    """A refund, with what it did to the balance."""
    return MadeRefund(
        id=reply.id,
        # Only a refund outside of any payment system has none, and its money has gone as soon as it is made.
        status=MadeStatus(reply.status or MadeStatus.SUCCEEDED),
        amount=Money(reply.amount, reply.currency),
        intent_id=_id_of(reply.payment_intent),
        charge_id=_id_of(reply.charge),
        created_at=datetime.fromtimestamp(reply.created, UTC),
        reason=reply.reason,
        failure_reason=getattr(reply, "failure_reason", None),
        balance=_expanded(reply.balance_transaction),
        failure_balance=_expanded(getattr(reply, "failure_balance_transaction", None)),
        metadata=_metadata(reply.metadata),
    )


def _expanded(reply: str | stripe.BalanceTransaction | None) -> BalanceTransaction | None:
    return None if reply is None or isinstance(reply, str) else _balance(reply)


def _balance(reply: stripe.BalanceTransaction) -> BalanceTransaction:
    return BalanceTransaction(
        id=reply.id,
        gross=Money(reply.amount, reply.currency),
        fee=Money(reply.fee, reply.currency),
        net=Money(reply.net, reply.currency),
        # JSON's number as text: the shortest digits that mean it, and no float beyond this line.
        exchange_rate=None if reply.exchange_rate is None else repr(reply.exchange_rate),
    )


def _charged_method(reply: stripe.Charge) -> Method:
    details = reply.payment_method_details
    if details is None:
        return Method("unknown", None, None)
    return _named(details.type, details)


def _method(expanded: str | stripe.PaymentMethod | None) -> Method | None:
    return None if expanded is None or isinstance(expanded, str) else _named(expanded.type, expanded)


def _named(kind: str, holder: Any) -> Method:
    details = getattr(holder, kind, None)
    brand = getattr(details, "brand", None) or getattr(details, "bank_name", None)
    return Method(kind, brand, getattr(details, "last4", None))


def _decline(error: Any) -> Decline | None:
    if error is None:
        return None
    return Decline(
        code=getattr(error, "code", None) or error.type,
        decline_code=getattr(error, "decline_code", None),
        advice_code=getattr(error, "advice_code", None),
    )


def _id_of(reference: Any) -> str | None:
    return reference if reference is None or isinstance(reference, str) else str(reference.id)


def _metadata(metadata: Any) -> dict[str, str]:
    return dict(metadata.to_dict()) if metadata is not None else {}
