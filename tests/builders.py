"""Documents as they come out of the use cases, for tests that need one and care about a few of its fields.

Builders take changes by field name; what belongs together (totals, parts, schedule) is computed as the app does it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

from chalicelib.domain.billing.charges import period_totals
from chalicelib.domain.billing.recurrence import Frequency, Recurrence
from chalicelib.domain.billing.starts import begin
from chalicelib.domain.documents.catalogue import Price, Product, TaxRate
from chalicelib.domain.documents.checkouts import CHECKOUT_LIFE, Checkout
from chalicelib.domain.documents.customers import Customer
from chalicelib.domain.documents.invoices import Collection, Invoice, Party, Snapshot, Source
from chalicelib.domain.documents.lines import LineItem
from chalicelib.domain.documents.links import PaymentLink
from chalicelib.domain.documents.merchants import ApiKey, ConnectionState, IssuedKey, Merchant, api_key_id
from chalicelib.domain.documents.methods import Method, StoredMethod
from chalicelib.domain.documents.parts import Part
from chalicelib.domain.documents.payments import Payment, Settlement
from chalicelib.domain.documents.refunds import Movement, Refund
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.ids import ulid
from chalicelib.domain.machines import InvoiceStatus, PaymentStatus, RefundStatus
from chalicelib.domain.money.amounts import Money
from chalicelib.domain.totals import compute_totals
from chalicelib.services.merchants import hash_api_key

NOW = datetime(2027, 1, 15, 12, tzinfo=UTC)
THE_DAY_BEFORE = NOW - timedelta(days=1)
"""When the keys were made that tests do not make themselves: ids count up from the same number there and here."""
ZONE = "America/New_York"
MERCHANT = "mer_pinewood"
SECRET = "s3cretOfThePage-128bit"
CARD = Method("card", "visa", "4242")

_serial = count(1)


def new_id(prefix: str, at: datetime = NOW) -> str:
    """An id of its own, above all earlier ones of the same time."""
    return f"{prefix}_{ulid(at, next(_serial))}"


def usd(minor: int) -> Money:
    """An amount in US cents."""
    return Money(minor, "usd")


def line(name: str = "Portrait session", unit_amount: int = 14_800, quantity: int = 1, **changes: Any) -> LineItem:
    """A one-time line unless `recurring` says otherwise."""
    currency = changes.pop("currency", "usd")
    return LineItem(name, quantity, Money(unit_amount, currency), **changes)


def monthly_line(name: str = "Darkroom membership", unit_amount: int = 4_900, **changes: Any) -> LineItem:
    """A line that renews monthly until cancelled."""
    return line(name, unit_amount, recurring=Recurrence(Frequency.MONTHLY), **changes)


def merchant(**changes: Any) -> Merchant:
    """A connected merchant in New York that can take payments."""
    merchant_id = changes.pop("id", MERCHANT)
    values: dict[str, Any] = {
        "id": merchant_id,
        "slug": merchant_id.removeprefix("mer_"),
        "name": "Pinewood Studio",
        "timezone": ZONE,
        "country": "US",
        "currency": "usd",
        "created_at": NOW,
        "connection": ConnectionState.READY,
        "can_transact": True,
        "can_payout": True,
        "stripe_account": "acct_pinewood",
    }
    return Merchant(**{**values, **changes})


def customer(**changes: Any) -> Customer:
    """A customer with an address and a name."""
    values: dict[str, Any] = {
        "id": new_id("cus"),
        "merchant_id": MERCHANT,
        "email": "ada@example.com",
        "created_at": NOW,
        "name": "Ada Byron",
    }
    return Customer(**{**values, **changes})


def product(**changes: Any) -> Product:
    """A product that is sold."""
    values: dict[str, Any] = {
        "id": new_id("prod"),
        "merchant_id": MERCHANT,
        "name": "Prints",
        "currency": "usd",
        "created_at": NOW,
    }
    return Product(**{**values, **changes})


def price(**changes: Any) -> Price:
    """Twenty dollars, paid once."""
    values: dict[str, Any] = {
        "id": new_id("price"),
        "merchant_id": MERCHANT,
        "product_id": new_id("prod"),
        "created_at": NOW,
        "unit_amount": None if changes.get("tiers") else usd(2_000),
    }
    return Price(**{**values, **changes})


def tax_rate(**changes: Any) -> TaxRate:
    """New York City's sales tax."""
    values: dict[str, Any] = {
        "id": new_id("txr"),
        "merchant_id": MERCHANT,
        "name": "Sales tax",
        "percent": Decimal("8.875"),
        "created_at": NOW,
    }
    return TaxRate(**{**values, **changes})


def api_key(**changes: Any) -> ApiKey:
    """A key that reads invoices; nobody has its text."""
    public_id = new_id("key", THE_DAY_BEFORE)
    values: dict[str, Any] = {
        "id": api_key_id(hash_api_key(public_id)),
        "merchant_id": MERCHANT,
        "prefix": "till_test_abcd",
        "scopes": ("invoices:read",),
        "created_at": THE_DAY_BEFORE,
        "public_id": public_id,
        "name": "Shop floor",
    }
    return ApiKey(**{**values, **changes})


def issued_key(**changes: Any) -> IssuedKey:
    """The entry of a key in its merchant's list."""
    public_id = new_id("key", THE_DAY_BEFORE)
    values: dict[str, Any] = {
        "id": public_id,
        "merchant_id": MERCHANT,
        "key_id": api_key_id(hash_api_key(public_id)),
        "created_at": THE_DAY_BEFORE,
    }
    return IssuedKey(**{**values, **changes})


def link(**changes: Any) -> PaymentLink:
    """A link that is on and sells one portrait session."""
    values: dict[str, Any] = {
        "id": new_id("plink"),
        "merchant_id": MERCHANT,
        "secret": SECRET,
        "name": "Portrait session",
        "currency": "usd",
        "lines": (line(),),
        "created_at": NOW,
    }
    return PaymentLink(**{**values, **changes})


def checkout(**changes: Any) -> Checkout:
    """An open checkout of a link, with no try yet."""
    lines = changes.get("lines", (line(),))
    currency = changes.get("currency", "usd")
    totals = compute_totals(lines, currency=currency, discount=changes.get("discount"), fees=changes.get("fees", ()))
    values: dict[str, Any] = {
        "id": new_id("chk"),
        "merchant_id": MERCHANT,
        "secret": SECRET,
        "payment_link_id": new_id("plink"),
        "invoice_id": new_id("inv"),
        "email": "ada@example.com",
        "name": "Ada Byron",
        "currency": currency,
        "lines": lines,
        "totals": totals,
        "parts": (Part(1, totals.total),),
        "agreed_at": NOW,
        "expires_at": NOW + CHECKOUT_LIFE,
        "created_at": NOW,
    }
    return Checkout(**{**values, **changes})


def invoice(**changes: Any) -> Invoice:
    """An open invoice INV-0001 that is sent for payment, due on the day it was issued."""
    lines = changes.get("lines", (line(),))
    currency = changes.get("currency", "usd")
    totals = compute_totals(lines, currency=currency, discount=changes.get("discount"), fees=changes.get("fees", ()))
    values: dict[str, Any] = {
        "id": new_id("inv"),
        "merchant_id": MERCHANT,
        "secret": SECRET,
        "customer_id": new_id("cus"),
        "currency": currency,
        "lines": lines,
        "totals": totals,
        "source": Source.PAYMENT_LINK,
        "collection": Collection.AUTOMATIC,
        "created_at": NOW,
        "status": InvoiceStatus.OPEN,
        "number": "INV-0001",
        "snapshot": Snapshot(Party("Pinewood Studio"), Party("Ada Byron", "ada@example.com"), ZONE),
        "issued_at": NOW,
        "due_date": NOW.date(),
        "parts": (Part(1, totals.total),),
    }
    return Invoice(**{**values, **changes})


def paid_invoice(**changes: Any) -> Invoice:
    """An invoice that was paid as it was issued."""
    lines = changes.get("lines", (line(),))
    total = compute_totals(lines, currency=changes.get("currency", "usd"), discount=changes.get("discount")).total
    return invoice(**{"status": InvoiceStatus.PAID, "paid_at": NOW, "amount_paid": total, **changes})


def subscription(**changes: Any) -> Subscription:
    """A monthly subscription that began now, its first period paid, charged to a stored card."""
    lines = changes.get("lines", (monthly_line(),))
    recurrence = changes.pop("recurrence", lines[0].recurring)
    agreed_at = changes.pop("agreed_at", NOW)
    schedule = begin(recurrence, agreed_at, changes.pop("zone", ZONE))
    values: dict[str, Any] = {
        "id": new_id("sub", agreed_at),
        "merchant_id": MERCHANT,
        "secret": SECRET,
        "customer_id": new_id("cus"),
        "currency": "usd",
        "lines": lines,
        "recurrence": recurrence,
        "schedule": schedule,
        "next_index": 1,
        "collection": Collection.AUTOMATIC,
        "created_at": agreed_at,
        "method": StoredMethod("pm_card", "cus_stripe", CARD),
        "payments_made": 1,
        "timer_at": schedule.period(1).start,
    }
    return Subscription(**{**values, **changes})


def renewal(of: Subscription, index: int | None = None, **changes: Any) -> Invoice:
    """The open invoice of a period of a subscription, by default the one that is issued next."""
    number = of.next_index if index is None else index
    period = of.schedule.period(number)
    totals = period_totals(of.lines, currency=of.currency, schedule=of.schedule, index=number, discount=of.discount)
    values: dict[str, Any] = {
        "id": new_id("inv", period.start),
        "merchant_id": of.merchant_id,
        "customer_id": of.customer_id,
        "currency": of.currency,
        "lines": of.lines,
        "totals": totals,
        "parts": (Part(1, totals.total),),
        "source": Source.SUBSCRIPTION,
        "subscription_id": of.id,
        "period": period,
        "created_at": period.start,
        "issued_at": period.start,
        "due_date": period.start.date(),
    }
    return invoice(**{**values, **changes})


def payment(**changes: Any) -> Payment:
    """A succeeded payment whose fee is not known yet."""
    values: dict[str, Any] = {
        "id": new_id("pay"),
        "merchant_id": MERCHANT,
        "invoice_id": new_id("inv"),
        "amount": usd(14_800),
        "status": PaymentStatus.SUCCEEDED,
        "source": Source.PAYMENT_LINK,
        "intent_id": "pi_1",
        "created_at": NOW,
        "stripe_account": "acct_pinewood",
        "charge_id": "ch_1",
        "method": CARD,
        "booked_at": NOW,
    }
    return Payment(**{**values, **changes})


def refund(**changes: Any) -> Refund:
    """A refund of 8 dollars that went through."""
    values: dict[str, Any] = {
        "id": new_id("ref"),
        "merchant_id": MERCHANT,
        "payment_id": new_id("pay"),
        "invoice_id": new_id("inv"),
        "intent_id": "pi_1",
        "amount": usd(800),
        "created_at": NOW,
        "status": RefundStatus.SUCCEEDED,
        "reason": "requested_by_customer",
        "customer_id": new_id("cus"),
        "stripe_account": "acct_pinewood",
        "stripe_refund_id": "re_1",
        "ended_at": NOW,
        "taken": Movement("txn_2", usd(-800), usd(0), usd(-800)),
    }
    return Refund(**{**values, **changes})


def settlement(gross: int = 14_800, fee: int = 459) -> Settlement:
    """What Stripe's balance transaction said: 2.9 % and 30 cents of the default payment."""
    return Settlement(usd(gross), usd(fee), usd(gross - fee), None, "txn_1")


def later(**by: float) -> datetime:
    """A time after NOW."""
    return NOW + timedelta(**by)
