"""Which dataclasses are stored as records, under which name, and in which indexes each is found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from importlib import import_module
from operator import attrgetter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from chalicelib.domain.ids import ulid
from chalicelib.services.ports import DEPLOYMENT, Index

if TYPE_CHECKING:
    from chalicelib.domain.documents.invoices import Invoice

_DOCUMENTS: Final = "chalicelib.domain.documents"
_LAST_RANDOM: Final = (1 << 80) - 1

Owner = Callable[[Any], str | None]


@dataclass(frozen=True)
class Kind:
    """One kind of record.

    `of` is its dataclass, by module and name below the documents: the first who reads one imports it. `name` is what
    rows are marked with, and must not change; `word` is for people. `prefix` is the constant beginning of ids that
    sort by creation, empty for records that are only looked up. `owners` tells, for each index that the kind is in,
    whose record one is: None keeps that one out. `expires` is when the database may remove one; records without it
    stay.
    """

    of: str
    name: str
    word: str
    prefix: str = ""
    owners: Mapping[Index, Owner] = field(default_factory=dict)
    expires: Callable[[Any], datetime] | None = None

    @cached_property
    def type(self) -> type[Any]:
        """The dataclass."""
        module, _, name = self.of.partition(".")
        found: type[Any] = getattr(import_module(f"{_DOCUMENTS}.{module}"), name)
        return found

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


def _held_by(invoice: Invoice) -> str | None:
    """The merchant whose operator has to let an invoice go."""
    held = invoice.collection_blocked == "held" and invoice.status == "open"
    return invoice.merchant_id if held else None


_merchant: Final[Owner] = attrgetter("merchant_id")
_customer: Final[Owner] = attrgetter("customer_id")
_link: Final[Owner] = attrgetter("payment_link_id")


def _deployment(record: Any) -> str:
    """One owner for all of a kind: what every merchant has, and the deployment lists."""
    return DEPLOYMENT


KINDS: Final = (
    Kind("merchants.Merchant", "merchant", "merchant"),
    Kind("merchants.AccountOwner", "account_owner", "account"),
    Kind("merchants.NumberSeries", "number_series", "number series"),
    Kind("merchants.ApiKey", "api_key", "API key"),
    Kind("merchants.IssuedKey", "issued_key", "API key", "key", {Index.BY_MERCHANT: _merchant}),
    Kind("catalogue.Product", "product", "product", "prod", {Index.BY_MERCHANT: _merchant}),
    Kind(
        "catalogue.Price",
        "price",
        "price",
        "price",
        {Index.BY_MERCHANT: _merchant, Index.BY_PRODUCT: attrgetter("product_id")},
    ),
    Kind("catalogue.TaxRate", "tax_rate", "tax rate", "txr", {Index.BY_MERCHANT: _merchant}),
    Kind("customers.Customer", "customer", "customer", "cus", {Index.BY_MERCHANT: _merchant}),
    Kind("customers.CustomerByEmail", "customer_by_email", "customer"),
    Kind("links.PaymentLink", "payment_link", "payment link", "plink", {Index.BY_MERCHANT: _merchant}),
    Kind("links.LinkUses", "link_uses", "payment link"),
    Kind(
        "checkouts.Checkout",
        "checkout",
        "checkout",
        "chk",
        {Index.BY_MERCHANT: _merchant, Index.BY_PAYMENT_LINK: _link},
    ),
    Kind(
        "invoices.Invoice",
        "invoice",
        "invoice",
        "inv",
        {
            Index.BY_MERCHANT: _merchant,
            Index.BY_CUSTOMER: _customer,
            Index.BY_SUBSCRIPTION: _invoiced_subscription,
            Index.BY_PAYMENT_LINK: _link,
            Index.BY_HELD: _held_by,
        },
    ),
    Kind(
        "subscriptions.Subscription",
        "subscription",
        "subscription",
        "sub",
        {Index.BY_MERCHANT: _merchant, Index.BY_CUSTOMER: _customer, Index.BY_PAYMENT_LINK: _link},
    ),
    Kind(
        "edits.SubscriptionEdit",
        "subscription_edit",
        "change of a subscription",
        "edit",
        {Index.BY_SUBSCRIPTION: attrgetter("subscription_id")},
    ),
    Kind(
        "payments.Payment",
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
    Kind("payments.IntentOwner", "intent_owner", "intent"),
    Kind(
        "refunds.Refund",
        "refund",
        "refund",
        "ref",
        {Index.BY_MERCHANT: _merchant, Index.BY_CUSTOMER: _customer, Index.BY_INVOICE: attrgetter("invoice_id")},
    ),
    Kind("refunds.RefundOwner", "refund_owner", "refund"),
    Kind("intake.StripeEvent", "stripe_event", "Stripe event"),
    Kind("intake.EventSweep", "event_sweep", "sweep of events", "swp", {Index.BY_MERCHANT: _deployment}),
    Kind("mails.Mail", "mail", "mail"),
    Kind("limits.AddressTries", "address_tries", "count of tries"),
    Kind("limits.LinkDeclines", "link_declines", "count of declines"),
    Kind("portal.SignInLink", "sign_in_link", "sign-in link", expires=attrgetter("expires_at")),
    Kind("portal.PortalSession", "portal_session", "session", expires=attrgetter("expires_at")),
    Kind("portal.SignIns", "sign_ins", "count of sign-ins", expires=attrgetter("expires_at")),
    Kind("portal.MethodChange", "method_change", "change of method"),
    Kind("idempotency.KeyedCall", "keyed_call", "idempotency key", expires=attrgetter("expires_at")),
)

_BY_CLASS: Final[Mapping[str, Kind]] = MappingProxyType({f"{_DOCUMENTS}.{kind.of}": kind for kind in KINDS})


def kind_of(type_: type[Any]) -> Kind:
    """The kind of a dataclass. Raises TypeError for one that is no record."""
    kind = _BY_CLASS.get(f"{type_.__module__}.{type_.__qualname__}")
    if kind is None:
        raise TypeError(f"{type_.__name__} is not stored as a record")
    return kind
