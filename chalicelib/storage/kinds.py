"""Which dataclasses are stored as records, under which name, and in which indexes each is found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from operator import attrgetter
from types import MappingProxyType
from typing import Any, Final

from chalicelib.domain.documents.catalogue import Price, Product, TaxRate
from chalicelib.domain.documents.checkouts import Checkout
from chalicelib.domain.documents.customers import Customer, CustomerByEmail
from chalicelib.domain.documents.idempotency import KeyedCall
from chalicelib.domain.documents.intake import EventSweep, StripeEvent
from chalicelib.domain.documents.invoices import Invoice
from chalicelib.domain.documents.limits import AddressTries, LinkDeclines
from chalicelib.domain.documents.links import LinkUses, PaymentLink
from chalicelib.domain.documents.mails import Mail
from chalicelib.domain.documents.merchants import AccountOwner, ApiKey, IssuedKey, Merchant, NumberSeries
from chalicelib.domain.documents.payments import IntentOwner, Payment
from chalicelib.domain.documents.refunds import Refund, RefundOwner
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.ids import ulid
from chalicelib.services.ports import DEPLOYMENT, Index

_LAST_RANDOM: Final = (1 << 80) - 1

Owner = Callable[[Any], str | None]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of record.

    `name` is what rows are marked with, and must not change; `word` is for people. `prefix` is the constant beginning
    of ids that sort by creation, empty for records that are only looked up. `owners` tells, for each index that the
    kind is in, whose record one is: None keeps that one out. `expires` is when the database may remove one; records
    without it stay.
    """

    type: type[Any]
    name: str
    word: str
    prefix: str = ""
    owners: Mapping[Index, Owner] = field(default_factory=dict)
    expires: Callable[[Any], datetime] | None = None

    def index_keys(self, record: Any) -> dict[str, str | None]:
        """The hash keys of the kind's indexes for a record, by attribute name."""
        keys: dict[str, str | None] = {}
        for index, owner in self.owners.items():
            owner_id = owner(record)
            keys[index.value] = None if owner_id is None else self.index_key(owner_id)
        return keys

    def index_key(self, owner_id: str) -> str:
        """The hash key under which an owner's records of this kind stand, in any index."""
        return f"{owner_id}#{self.name}"

    def lowest_id(self, at: datetime) -> str:
        """The lowest id that a record of this kind made at a time can have: ids hold whole milliseconds."""
        return f"{self.prefix}_{ulid(at, 0)}"

    def highest_id(self, at: datetime) -> str:
        """The highest id that a record of this kind made at a time can have."""
        return f"{self.prefix}_{ulid(at, _LAST_RANDOM)}"


def _invoiced_subscription(invoice: Invoice) -> str | None:
    """The one subscription that an invoice bills, also where one-time lines stand beside it."""
    if invoice.subscription_id is not None:
        return invoice.subscription_id
    billed = {line.subscription_id for line in invoice.line_periods}
    return billed.pop() if len(billed) == 1 else None


_merchant: Final[Owner] = attrgetter("merchant_id")
_customer: Final[Owner] = attrgetter("customer_id")
_link: Final[Owner] = attrgetter("payment_link_id")


def _deployment(record: Any) -> str:
    """One owner for all of a kind: what every merchant has, and the deployment lists."""
    return DEPLOYMENT


KINDS: Final = (
    Kind(Merchant, "merchant", "merchant"),
    Kind(AccountOwner, "account_owner", "account"),
    Kind(NumberSeries, "number_series", "number series"),
    Kind(ApiKey, "api_key", "API key"),
    Kind(IssuedKey, "issued_key", "API key", "key", {Index.BY_MERCHANT: _merchant}),
    Kind(Product, "product", "product", "prod", {Index.BY_MERCHANT: _merchant}),
    Kind(
        Price,
        "price",
        "price",
        "price",
        {Index.BY_MERCHANT: _merchant, Index.BY_PRODUCT: attrgetter("product_id")},
    ),
    Kind(TaxRate, "tax_rate", "tax rate", "txr", {Index.BY_MERCHANT: _merchant}),
    Kind(Customer, "customer", "customer", "cus", {Index.BY_MERCHANT: _merchant}),
    Kind(CustomerByEmail, "customer_by_email", "customer"),
    Kind(PaymentLink, "payment_link", "payment link", "plink", {Index.BY_MERCHANT: _merchant}),
    Kind(LinkUses, "link_uses", "payment link"),
    Kind(
        Checkout,
        "checkout",
        "checkout",
        "chk",
        {Index.BY_MERCHANT: _merchant, Index.BY_PAYMENT_LINK: _link},
    ),
    Kind(
        Invoice,
        "invoice",
        "invoice",
        "inv",
        {
            Index.BY_MERCHANT: _merchant,
            Index.BY_CUSTOMER: _customer,
            Index.BY_SUBSCRIPTION: _invoiced_subscription,
            Index.BY_PAYMENT_LINK: _link,
        },
    ),
    Kind(
        Subscription,
        "subscription",
        "subscription",
        "sub",
        {Index.BY_MERCHANT: _merchant, Index.BY_CUSTOMER: _customer, Index.BY_PAYMENT_LINK: _link},
    ),
    Kind(
        Payment,
        "payment",
        "payment",
        "pay",
        {
            Index.BY_MERCHANT: _merchant,
            Index.BY_CUSTOMER: _customer,
            Index.BY_SUBSCRIPTION: attrgetter("subscription_id"),
            Index.BY_INVOICE: attrgetter("invoice_id"),
            Index.BY_PAYMENT_LINK: _link,
        },
    ),
    Kind(IntentOwner, "intent_owner", "intent"),
    Kind(
        Refund,
        "refund",
        "refund",
        "ref",
        {Index.BY_MERCHANT: _merchant, Index.BY_CUSTOMER: _customer, Index.BY_INVOICE: attrgetter("invoice_id")},
    ),
    Kind(RefundOwner, "refund_owner", "refund"),
    Kind(StripeEvent, "stripe_event", "Stripe event"),
    Kind(EventSweep, "event_sweep", "sweep of events", "swp", {Index.BY_MERCHANT: _deployment}),
    Kind(Mail, "mail", "mail"),
    Kind(AddressTries, "address_tries", "count of tries"),
    Kind(LinkDeclines, "link_declines", "count of declines"),
    Kind(KeyedCall, "keyed_call", "idempotency key", expires=attrgetter("expires_at")),
)

_BY_TYPE: Final[Mapping[type[Any], Kind]] = MappingProxyType({kind.type: kind for kind in KINDS})


def kind_of(type_: type[Any]) -> Kind:
    """The kind of a dataclass. Raises TypeError for one that is no record."""
    kind = _BY_TYPE.get(type_)
    if kind is None:
        raise TypeError(f"{type_.__name__} is not stored as a record")
    return kind
