"""What the API's answers are made of, as types: ids, times, amounts, lines, discounts, totals and periods."""

from __future__ import annotations

from typing import Annotated, Literal

from typing_extensions import TypedDict  # pydantic reads typing's own from Python 3.12 on only

from chalicelib.domain.billing.recurrence import Frequency, StartType
from chalicelib.domain.documents.parts import AttemptOutcome
from chalicelib.domain.pricing import PriceModel
from chalicelib.handlers.api.keywords import id_of, shown

AccountId = Annotated[str, id_of("mer")]
ApiKeyId = Annotated[str, id_of("key")]
CheckoutId = Annotated[str, id_of("chk")]
CustomerId = Annotated[str, id_of("cus")]
EventId = Annotated[str, id_of("evt")]
InvoiceId = Annotated[str, id_of("inv")]
PaymentId = Annotated[str, id_of("pay")]
PaymentLinkId = Annotated[str, id_of("plink")]
PriceId = Annotated[str, id_of("price")]
ProductId = Annotated[str, id_of("prod")]
RefundId = Annotated[str, id_of("ref")]
SubscriptionId = Annotated[str, id_of("sub")]
TaxRateId = Annotated[str, id_of("txr")]

Time = Annotated[str, shown("A time in UTC, to the second (RFC 3339).", format="date-time")]
LocalTime = Annotated[str, shown("The same time as clocks in the subscription's zone show it.", format="date-time")]
Date = Annotated[str, shown("A day in the merchant's time zone.", format="date")]
Minor = Annotated[int, shown("Minor units of the currency, such as cents.")]
Percent = Annotated[str, shown("A percentage in a string.", pattern="^[0-9]+(\\.[0-9]+)?$", examples=["12.5"])]
Currency = Annotated[str, shown("ISO 4217, in lower case.", pattern="^[a-z]{3}$", examples=["usd"])]
Metadata = Annotated[dict[str, str], shown("Your own keys and values.")]
Url = Annotated[str, shown(format="uri")]


class PercentOff(TypedDict):
    """A share."""

    percent: Percent


class AmountOff(TypedDict):
    """A fixed amount."""

    amount: Minor


class Periods(TypedDict):
    """A number of periods."""

    periods: int


class OrderDiscount(TypedDict):
    """What both kinds of discount on a whole document have."""

    name: str | None
    duration: Literal["once", "forever"] | Periods


class PercentOffOrder(PercentOff, OrderDiscount):
    """A share off the whole document."""


class AmountOffOrder(AmountOff, OrderDiscount):
    """A fixed amount off the whole document."""


class PercentFee(PercentOff):
    """A fee that is a share of subtotal less discount."""

    name: str


class AmountFee(AmountOff):
    """A fee of a fixed amount."""

    name: str


class AtPayment(TypedDict):
    """The first period begins when the order is paid."""

    type: Literal[StartType.AT_PAYMENT]


class AfterSome(TypedDict):
    """The first period begins some days or months later."""

    type: Literal[StartType.AFTER_DAYS, StartType.AFTER_MONTHS]
    value: int | None


class OnDate(TypedDict):
    """The first period begins on a day, or at a time."""

    type: Literal[StartType.ON_DATE]
    value: Annotated[str | None, shown("A day or a time.", examples=["2027-01-31"])]


Start = AtPayment | AfterSome | OnDate


class Recurrence(TypedDict):
    """How something repeats."""

    frequency: Frequency
    term: Literal["until_canceled", "fixed"]
    number_of_payments: Annotated[int | None, shown("Null until canceled.")]
    start: Start
    anchor_day: Annotated[int | None, shown("The day of the month on which periods begin.")]


class DueInDays(TypedDict):
    """To be paid so many days after it was issued."""

    net_days: int


class DueOnDate(TypedDict):
    """To be paid by a day."""

    date: Date


class DueOnReceipt(TypedDict):
    """To be paid at once."""

    on_receipt: Literal[True]


class LineTax(TypedDict):
    """A tax rate on a line."""

    percent: Percent
    inclusive: Annotated[bool, shown("Whether the price contains the tax.")]


class TierEnd(TypedDict):
    """Where a tier ends; it begins one above the tier before it."""

    up_to: Annotated[int | None, shown("The last quantity in the tier; null in the last tier, which has no end.")]


class UnitTier(TierEnd):
    """A tier of a volume or graduated price."""

    unit_amount: Annotated[Minor, shown("What each unit costs.")]


class WholeTier(TierEnd):
    """A tier of a stairstep price."""

    flat_amount: Annotated[Minor, shown("What all units cost together.")]


class Line(TypedDict):
    """A line as it stands on its document: a copy, which no later change of product or price reaches."""

    name: str
    description: str | None
    quantity: int
    unit_amount: Annotated[Minor | None, shown("Null where tiers price the line.")]
    amount: Annotated[Minor, shown("What the quantity costs, before discounts.")]
    model: PriceModel
    tiers: list[UnitTier] | list[WholeTier] | None
    price: Annotated[PriceId | None, shown("The price it was copied from.")]
    product: Annotated[ProductId | None, shown("The product it was copied from.")]
    discount: PercentOff | AmountOff | None
    tax: LineTax | None
    tax_rate: Annotated[TaxRateId | None, shown("The tax rate that its tax was copied from.")]
    recurring: Recurrence | None


class Span(TypedDict):
    """From `start` up to, not including, `end`."""

    start: Time
    end: Time


class Adjustment(TypedDict):
    """A line that settles a change within a period, after discount and tax."""

    name: str
    amount: Annotated[Minor, shown("Below zero for unused time.")]
    covers: Span | None


class TaxLine(TypedDict):
    """The tax of all lines with one rate."""

    percent: Percent
    inclusive: bool
    taxable: Minor
    amount: Minor


class Totals(TypedDict):
    """A document's sums: subtotal - discount + fees + the tax that is not inclusive + rounding = total."""

    subtotal: Minor
    discount: Minor
    fees: Minor
    tax: Minor
    rounding: Minor
    total: Minor
    currency: Currency
    tax_lines: list[TaxLine]


class Period(TypedDict):
    """From `start` up to, not including, `end`; the first has index 0."""

    index: int
    start: Time
    end: Time


class Attempt(TypedDict):
    """One try to charge. `claimed`: it may be under way, and how it ended is not known yet."""

    at: Time
    outcome: AttemptOutcome
    decline_code: Annotated[str | None, shown("Stripe's decline code, or its error code.")]
    next_at: Annotated[Time | None, shown("When the stored method is tried again; null where it is not.")]


class PaymentMethod(TypedDict):
    """What was paid with."""

    type: Annotated[str, shown("Stripe's name of the kind.", examples=["card"])]
    brand: str | None
    last4: str | None
