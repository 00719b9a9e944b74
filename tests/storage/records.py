"""Records to store: small ones for the rules of writing, full ones for the rules of reading back."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any, Protocol

from chalicelib.domain.billing.recurrence import Frequency, Recurrence, Start, StartType
from chalicelib.domain.billing.schedule import Epoch, Period, Schedule
from chalicelib.domain.documents.catalogue import Price, Product, TaxRate
from chalicelib.domain.documents.checkouts import Checkout, Consent
from chalicelib.domain.documents.customers import Customer
from chalicelib.domain.documents.events import Event
from chalicelib.domain.documents.invoices import (
    Collection,
    CollectionBlock,
    Invoice,
    LinePeriod,
    Party,
    Snapshot,
    Source,
)
from chalicelib.domain.documents.lines import Discount, Fee, LineItem, Tax
from chalicelib.domain.documents.merchants import NumberSeries, series_id
from chalicelib.domain.documents.parts import Attempt, AttemptOutcome, Part
from chalicelib.domain.documents.payments import Payment
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.documents.terms import Due
from chalicelib.domain.documents.timers import Timer, TimerKind
from chalicelib.domain.ids import ulid
from chalicelib.domain.machines import InvoiceStatus, PartState, PaymentStatus
from chalicelib.domain.money.amounts import Money
from chalicelib.domain.pricing import PriceModel, Tier, TierTable
from chalicelib.domain.totals import compute_totals
from chalicelib.services.ports import Records, Timers, Write

NOW = datetime(2026, 1, 31, 20, 30, 0, 123456, tzinfo=UTC)

_serial = count(1)


class Store(Records, Timers, Protocol):
    """Both ports in one object."""


def new_id(prefix: str, at: datetime = NOW) -> str:
    """An id that no other test has, later ones above earlier ones of the same time."""
    return f"{prefix}_{ulid(at, next(_serial))}"


def operation() -> str:
    """The id of one intention."""
    return new_id("op")


def put(store: Records, *writes: Write) -> None:
    """Commit under an operation id of its own."""
    store.commit(operation(), writes)


def new_merchant() -> str:
    """A merchant's id that no other test has."""
    return f"mer_shop-{next(_serial)}"


def customer(merchant_id: str, **changes: Any) -> Customer:
    at = changes.pop("created_at", NOW)
    values = {"id": new_id("cus", at), "merchant_id": merchant_id, "email": "ada@example.com", "created_at": at}
    return Customer(**{**values, **changes})


def series(merchant_id: str, **changes: Any) -> NumberSeries:
    values = {"id": series_id(merchant_id, "invoice"), "merchant_id": merchant_id, "name": "invoice", "created_at": NOW}
    return NumberSeries(**{**values, **changes})


def payment(merchant_id: str, **changes: Any) -> Payment:
    values = {
        "id": new_id("pay"),
        "merchant_id": merchant_id,
        "invoice_id": new_id("inv"),
        "amount": Money(4999, "usd"),
        "status": PaymentStatus.SUCCEEDED,
        "source": Source.PAYMENT_LINK,
        "intent_id": f"pi_{next(_serial)}",
        "created_at": NOW,
    }
    return Payment(**{**values, **changes})


def event(merchant_id: str, at: datetime = NOW, **changes: Any) -> Event:
    values = {
        "id": new_id("evt", at),
        "merchant_id": merchant_id,
        "type": "invoice.paid",
        "occurred_at": at,
        "actor": "buyer",
        "object_id": new_id("inv"),
        "data": {"object": {"total": 4999, "lines": [1, None, True, "naïve"]}},
    }
    return Event(**{**values, **changes})


def timer(merchant_id: str, due: datetime = NOW, record_id: str | None = None) -> Timer:
    return Timer(TimerKind.BILL_PERIOD, record_id or new_id("sub"), merchant_id, due)


LINES = (
    LineItem(
        "Kaffee – Wochenabo ☕",
        3,
        Money(1250, "usd"),
        description="whole bean",
        discount=Discount(percent=Decimal("12.50"), name="launch"),
        tax=Tax(Decimal("8.875"), inclusive=False, name="NYC", rate_id="txr_1"),
        recurring=Recurrence(
            Frequency.MONTHLY, 12, Start(StartType.ON_DATE, on=date(2026, 2, 28)), anchor_day=31
        ),
        price_id="price_1",
        product_id="prod_1",
    ),
    LineItem("Setup", 1, Money(5000, "usd"), discount=Discount(amount=Money(500, "usd"), duration=3)),
    LineItem(
        "Seats",
        7,
        None,
        tiers=TierTable(PriceModel.GRADUATED, (Tier(5, Money(700, "usd")), Tier(None, Money(650, "usd")))),
    ),
)  # fmt: skip
DISCOUNT = Discount(percent=Decimal("5"), duration="forever")
FEES = (Fee("Handling", percent=Decimal("1.5")), Fee("Box", amount=Money(99, "usd")))
PARTS = (
    Part(
        1,
        Money(7000, "usd"),
        PartState.HELD,
        2,
        "pi_live",
        (Attempt(1, NOW, AttemptOutcome.DECLINED, "card_declined", "insufficient_funds", NOW + timedelta(days=3)),),
    ),
)


def full_invoice(merchant_id: str = "mer_demo") -> Invoice:
    """An invoice with something in every field."""
    period = Period(4, NOW, NOW + timedelta(days=28))
    return Invoice(
        id=new_id("inv"),
        merchant_id=merchant_id,
        secret="s" * 22,
        customer_id="cus_1",
        currency="usd",
        lines=LINES,
        totals=compute_totals(LINES, currency="usd", discount=DISCOUNT, fees=FEES),
        source=Source.SUBSCRIPTION,
        collection=Collection.AUTOMATIC,
        created_at=NOW,
        status=InvoiceStatus.OPEN,
        discount=DISCOUNT,
        fees=FEES,
        number="INV-0007",
        snapshot=Snapshot(Party("Shop", "shop@example.com", "Shop LLC", ("1 Main St", "NY")), Party("Ada"), "UTC"),
        issued_at=NOW,
        due_date=date(2026, 3, 2),
        amount_paid=Money(1, "usd"),
        parts=PARTS,
        charge_at=NOW + timedelta(hours=1),
        collection_blocked=CollectionBlock.HELD,
        subscription_id="sub_1",
        period=period,
        line_periods=(LinePeriod(0, "sub_1", period),),
        payment_link_id="plink_1",
        checkout_id="chk_1",
        metadata={"order": "42"},
    )


def full_product(merchant_id: str = "mer_demo") -> Product:
    """A product with something in every field."""
    return Product(
        id=new_id("prod"),
        merchant_id=merchant_id,
        name="Prints",
        currency="eur",
        created_at=NOW,
        description="Giclée",
        sku="PR-2030",
        image_url="https://example.com/a.png",
        unit_cost=Money(650, "eur"),
        folder="Paper",
        tax_rate_id="txr_1",
        active=False,
        metadata={"shelf": "4"},
    )


def full_price(merchant_id: str = "mer_demo") -> Price:
    """A price with something in every field but the one that tiers exclude."""
    return Price(
        id=new_id("price"),
        merchant_id=merchant_id,
        product_id=new_id("prod"),
        created_at=NOW,
        tiers=TierTable(PriceModel.STAIRSTEP, (Tier(10, Money(5000, "usd")), Tier(None, Money(9000, "usd")))),
        frequency=Frequency.PER_SIX_MONTHS,
        nickname="Summer",
        active=False,
        metadata={"a": "1"},
    )


def full_tax_rate(merchant_id: str = "mer_demo") -> TaxRate:
    """A tax rate with something in every field."""
    return TaxRate(
        id=new_id("txr"),
        merchant_id=merchant_id,
        name="VAT",
        percent=Decimal("20.00"),
        created_at=NOW,
        inclusive=True,
        active=False,
        metadata={"land": "FR"},
    )


def full_subscription(merchant_id: str = "mer_demo") -> Subscription:
    """A subscription whose schedule holds a wall-clock time."""
    epoch = Epoch.at_instant(0, NOW, Frequency.MONTHLY, "America/New_York")
    return Subscription(
        id=new_id("sub"),
        merchant_id=merchant_id,
        secret="s" * 22,
        customer_id="cus_1",
        currency="usd",
        lines=LINES[:1],
        recurrence=Recurrence(Frequency.MONTHLY),
        schedule=Schedule((epoch,)),
        next_index=1,
        collection=Collection.AUTOMATIC,
        due=Due(on=NOW.date()),
        created_at=NOW,
        consent=Consent(NOW, "I agree", "203.0.113.7"),
        timer_at=NOW + timedelta(days=28),
        past_due_invoices=("inv_1", "inv_2"),
    )


def full_checkout(merchant_id: str = "mer_demo") -> Checkout:
    """A checkout in the middle of a payment."""
    return Checkout(
        id=new_id("chk"),
        merchant_id=merchant_id,
        secret="s" * 22,
        payment_link_id="plink_1",
        invoice_id=new_id("inv"),
        email="ada@example.com",
        name="Ada",
        currency="usd",
        lines=LINES,
        totals=compute_totals(LINES, currency="usd"),
        parts=PARTS,
        agreed_at=NOW,
        expires_at=NOW + timedelta(hours=24),
        created_at=NOW,
    )
