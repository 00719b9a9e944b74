"""The bodies of subscriptions: what stands on a whole document, and how it repeats.

Imported inside API views only, as `chalicelib.handlers.api_types` explains.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from chalicelib.domain.billing.charges import FirstPeriod
from chalicelib.domain.billing.recurrence import Frequency
from chalicelib.domain.documents import lines as domain
from chalicelib.domain.documents.invoices import Collection
from chalicelib.domain.documents.terms import ON_RECEIPT, Due
from chalicelib.domain.money.amounts import Money
from chalicelib.handlers.api.keywords import shown
from chalicelib.handlers.api.line_bodies import (
    FrequencyName,
    LineRecurrence,
    OrderDiscount,
    PlainLines,
    date_or_time,
    plain_date,
)
from chalicelib.handlers.api_types import (
    Amount,
    Body,
    Currency,
    CustomerId,
    DiscountPercent,
    Metadata,
    SubscriptionId,
    TimeZone,
    text,
    wrong,
)
from chalicelib.handlers.parsing import parse_timestamp
from chalicelib.services.editing import EditOrder
from chalicelib.services.subscribing import NewSubscription

MOST_FEES: Final = 20
MOST_SHOWN: Final = 120
SHOWN: Final = 12
_LONGEST_TERMS: Final = 365


class DocumentFee(Body):
    """An extra charge on the whole document: an amount, or a percentage of what is left after the discounts."""

    name: Annotated[str, text(100)]
    amount: Amount | None = None
    percent: DiscountPercent | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> DocumentFee:
        if (self.percent is None) == (self.amount is None):
            code = "missing_field" if self.percent is None else "invalid_value"
            raise wrong(code, "A fee has either amount or percent.")
        return self

    def to_domain(self, currency: str) -> domain.Fee:
        """The fee, in the document's currency."""
        return domain.Fee(
            self.name,
            amount=None if self.amount is None else Money(self.amount, currency),
            percent=None if self.percent is None else Decimal(self.percent),
        )


def _only_true(value: bool) -> bool:
    if not value:
        raise wrong("invalid_value", "This is true or left out.")
    return value


class DueTerms(Body):
    """When an invoice that is sent is to be paid; exactly one of the three."""

    net_days: Annotated[int, Field(ge=1, le=_LONGEST_TERMS)] | None = None
    date: Annotated[str, AfterValidator(plain_date)] | None = None
    on_receipt: Annotated[bool, AfterValidator(_only_true)] | None = None

    @model_validator(mode="after")
    def _one_of_three(self) -> DueTerms:
        given = [value for value in (self.net_days, self.date, self.on_receipt) if value is not None]
        if len(given) != 1:
            code = "invalid_value" if given else "missing_field"
            raise wrong(code, "Terms are one of net_days, date and on_receipt.")
        return self

    def to_domain(self) -> Due:
        """The terms."""
        return Due(self.net_days, None if self.date is None else date.fromisoformat(self.date))


class SubscriptionTerms(LineRecurrence):
    """What a subscription bills, and when. A start at payment means now."""

    currency: Currency
    lines: PlainLines
    first_period: Literal["prorated", "full", "free"] = "prorated"
    collection: Literal["automatic", "send"] = "automatic"
    due: DueTerms | None = None
    discount: OrderDiscount | None = None
    fees: Annotated[list[DocumentFee], Field(max_length=MOST_FEES)] = Field(default_factory=list)
    metadata: Metadata | None = None

    @field_validator("first_period")
    @classmethod
    def _has_an_anchor_day(cls, value: str, info: ValidationInfo) -> str:
        if value != "prorated" and "anchor_day" in info.data and info.data["anchor_day"] is None:
            raise wrong("invalid_value", "Only with an anchor day is there a first period of another length.")
        return value

    @field_validator("due")
    @classmethod
    def _fits_collection(cls, value: DueTerms | None, info: ValidationInfo) -> DueTerms | None:
        waits = value is not None and value.on_receipt is None
        if waits and info.data.get("collection") == "automatic":
            raise wrong("invalid_value", "What is charged automatically is due on receipt; terms are for what is sent.")
        return value

    def to_new(self) -> NewSubscription:
        """The subscription to be made or looked at."""
        return NewSubscription(
            currency=self.currency,
            lines=tuple(line.to_domain(self.currency) for line in self.lines),
            recurrence=self.to_domain(),
            collection=Collection(self.collection),
            due=ON_RECEIPT if self.due is None else self.due.to_domain(),
            discount=None if self.discount is None else self.discount.to_domain(self.currency),
            fees=tuple(fee.to_domain(self.currency) for fee in self.fees),
            first_period=FirstPeriod(self.first_period),
            metadata=self.metadata or {},
        )


class SubscriptionBody(SubscriptionTerms):
    """A new subscription of a customer."""

    customer: CustomerId


class SubscriptionPreview(SubscriptionTerms):
    """A subscription that is only looked at: `count` of its invoices, in the merchant's zone unless it says another."""

    count: Annotated[int, Field(ge=1, le=MOST_SHOWN)] = SHOWN
    timezone: TimeZone | None = None


DateOrTime = Annotated[
    str,
    AfterValidator(date_or_time),
    shown("A day, from 00:00 in the subscription's zone, or a time.", examples=["2027-01-31", "2027-01-31T15:30:00Z"]),
]


def _moment(value: str) -> date | datetime:
    if "T" not in value:
        return date.fromisoformat(value)
    at = parse_timestamp(value)
    if at is None:
        raise ValueError("a checked timestamp can be read")
    return at


class SubscriptionUpdate(Body):
    """Changes to a subscription: with its next period, or now with proration by seconds.

    `lines` replace the lines. With `preview` nothing is written, and the answer says what would come of it.
    """

    metadata: Metadata | None = None
    lines: PlainLines = Field(default_factory=list)
    frequency: FrequencyName = "monthly"
    next_invoice_on: DateOrTime = ""
    effective: Literal["next_period", "now"] = "next_period"
    bill_now: Annotated[bool, shown("Invoice at once what a change that is effective now costs.")] = False
    preview: bool = False

    @field_validator("bill_now")
    @classmethod
    def _only_now(cls, value: bool, info: ValidationInfo) -> bool:
        if value and info.data.get("effective") == "next_period":
            raise wrong("invalid_value", "Only what is effective now can be billed now.")
        return value

    def to_order(self, currency: str) -> EditOrder:
        """The change, in the subscription's currency."""
        given = self.model_fields_set
        return EditOrder(
            lines=tuple(line.to_domain(currency) for line in self.lines) if "lines" in given else None,
            frequency=Frequency(self.frequency) if "frequency" in given else None,
            next_invoice_on=_moment(self.next_invoice_on) if "next_invoice_on" in given else None,
            now=self.effective == "now",
            bill_now=self.bill_now,
            metadata=(self.metadata or {}) if "metadata" in given else None,
        )


class PauseBody(Body):
    """How long a subscription pauses: until a date, or, without one, until it is resumed."""

    until: DateOrTime | None = None

    def moment(self) -> date | datetime | None:
        """The end of the pause."""
        return None if self.until is None else _moment(self.until)


class ResumeBody(Body):
    """When a paused subscription goes on."""

    next_invoice_on: DateOrTime

    def moment(self) -> date | datetime:
        """When its next period begins."""
        return _moment(self.next_invoice_on)


class ReleaseHeld(Body):
    """Whose held invoices are charged: one subscription's, or with null those of all."""

    subscription: SubscriptionId | None
