"""The lines, discounts, taxes and rhythms that API bodies are made of, and their way into the domain.

Imported inside API views only, as `chalicelib.handlers.api_types` explains.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Final, Literal

from pydantic import Discriminator, Field, Tag, ValidationInfo, field_validator, model_validator

from chalicelib.domain.billing.grouping import MOST_LINES
from chalicelib.domain.billing.recurrence import Frequency, Recurrence, Start, StartType
from chalicelib.domain.billing.schedule import months_in
from chalicelib.domain.documents import lines as domain
from chalicelib.domain.money.amounts import Money
from chalicelib.handlers.api.keywords import shown
from chalicelib.handlers.api_types import (
    PRICED,
    WRITTEN,
    Amount,
    Body,
    DiscountPercent,
    PriceId,
    Quantity,
    TaxPercent,
    TaxRateId,
    text,
    wrong,
)
from chalicelib.handlers.parsing import parse_timestamp
from chalicelib.services.catalogue.lines import LineOrder

_MOST_PAYMENTS: Final = 999
_MOST_DAYS, _MOST_MONTHS = 3650, 120
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


class LineDiscount(Body):
    """Off one line: a percentage of it or an amount."""

    percent: DiscountPercent | None = None
    amount: Amount | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> LineDiscount:
        if (self.percent is None) == (self.amount is None):
            code = "missing_field" if self.percent is None else "invalid_value"
            raise wrong(code, "A discount has either percent or amount.")
        return self

    def to_domain(self, currency: str) -> domain.Discount:
        """The discount; it repeats each period with its line."""
        return _discount(self, currency)


class OrderDiscount(LineDiscount):
    """Off the whole document; `duration` says for how many invoices of a subscription."""

    name: Annotated[str, text(100)] | None = None
    duration: Annotated[
        Any,
        shown(
            "For how many invoices of a subscription.",
            anyOf=[
                {"enum": ["once", "forever"]},
                {
                    "type": "object",
                    "properties": {"periods": {"type": "integer", "minimum": 1, "maximum": _MOST_PAYMENTS}},
                    "required": ["periods"],
                    "additionalProperties": False,
                },
            ],
        ),
    ] = "once"

    @field_validator("duration")
    @classmethod
    def _known_duration(cls, value: Any) -> domain.DiscountDuration:
        if value == "once" or value == "forever":
            return "once" if value == "once" else "forever"
        if isinstance(value, str):
            raise wrong("invalid_value", 'A duration is "once", "forever" or {"periods": n}.')
        if not isinstance(value, dict) or set(value) != {"periods"} or type(value["periods"]) is not int:
            raise wrong("wrong_type", 'A duration is "once", "forever" or {"periods": n}.')
        if not 1 <= value["periods"] <= _MOST_PAYMENTS:
            raise wrong("out_of_range", f"A discount counts for 1 to {_MOST_PAYMENTS} periods.")
        return int(value["periods"])

    def to_domain(self, currency: str) -> domain.Discount:
        """The discount on the order."""
        return _discount(self, currency, self.name, self.duration)


def _discount(
    body: LineDiscount, currency: str, name: str | None = None, duration: domain.DiscountDuration = "once"
) -> domain.Discount:
    return domain.Discount(
        amount=None if body.amount is None else Money(body.amount, currency),
        percent=None if body.percent is None else Decimal(body.percent),
        name=name,
        duration=duration,
    )


class LineTax(Body):
    """A tax rate written on the line."""

    percent: TaxPercent
    inclusive: bool = False

    def to_domain(self) -> domain.Tax:
        """The rate."""
        return domain.Tax(Decimal(self.percent), self.inclusive)


class LineStart(Body):
    """When the first period begins; `value` is a number, or a date or timestamp, as the type asks."""

    type: Literal["at_payment", "after_days", "after_months", "on_date"] = "at_payment"
    value: Annotated[
        Any,
        shown(
            "Nothing at payment; else the days or months, or the date or time.",
            anyOf=[
                {"type": "null"},
                {"type": "integer", "minimum": 1, "maximum": _MOST_DAYS},
                {"type": "string", "examples": ["2027-01-31", "2027-01-31T15:30:00Z"]},
            ],
        ),
    ] = Field(default=None, validate_default=True)

    @field_validator("value")
    @classmethod
    def _fits_type(cls, value: Any, info: ValidationInfo) -> Any:
        kind = info.data.get("type")
        if kind is None:
            return value
        if kind == "at_payment":
            if value is not None:
                raise wrong("invalid_value", "A start at payment has no value.")
            return None
        if value is None:
            raise wrong("missing_field", "This start needs a value.")
        return date_or_time(value) if kind == "on_date" else _count(value, kind)

    def to_domain(self) -> Start:
        """The start."""
        kind = StartType(self.type)
        if kind is StartType.ON_DATE:
            return (
                Start(kind, at=parse_timestamp(self.value))
                if "T" in self.value
                else Start(kind, on=date.fromisoformat(self.value))
            )
        return Start(kind, count=self.value)


def _count(value: Any, kind: str) -> int:
    if type(value) is not int:
        raise wrong("wrong_type", "This start needs a whole number.")
    most = _MOST_DAYS if kind == "after_days" else _MOST_MONTHS
    if not 1 <= value <= most:
        raise wrong("out_of_range", f"This start is 1 to {most} away.")
    return value


def date_or_time(value: Any) -> str:
    """A day as `YYYY-MM-DD`, or a time (RFC 3339), in the years that documents are made for."""
    if not isinstance(value, str):
        raise wrong("wrong_type", "A date is a string.")
    if "T" not in value:
        return plain_date(value)
    if parse_timestamp(value) is None:
        raise wrong(
            "invalid_date", "This is neither a date such as 2027-01-31 nor a time such as 2027-01-31T15:30:00Z."
        )
    return _in_these_years(value)


def plain_date(value: str) -> str:
    """A day as `YYYY-MM-DD`, in the years that documents are made for."""
    invalid = wrong("invalid_date", "This is not a date such as 2027-01-31.")
    try:
        if not _DATE.fullmatch(value):
            raise invalid
        date.fromisoformat(value)
    except ValueError as error:
        raise invalid from error
    return _in_these_years(value)


def _in_these_years(value: str) -> str:
    if not "2000" <= value[:4] <= "2100":
        raise wrong("invalid_date", "A date is in the years 2000 to 2100.")
    return value


FrequencyName = Literal[
    "weekly", "biweekly", "monthly", "quarterly", "per_six_months", "annually",
    "per_two_years", "per_three_years", "per_four_years", "per_five_years",
]  # fmt: skip


class LineRecurrence(Body):
    """How a line repeats."""

    frequency: FrequencyName
    term: Literal["until_canceled", "fixed"] = "until_canceled"
    number_of_payments: Annotated[int, Field(ge=1, le=_MOST_PAYMENTS)] | None = Field(
        default=None, validate_default=True
    )
    start: LineStart = Field(default_factory=LineStart)
    anchor_day: Annotated[int, Field(ge=1, le=31)] | None = None

    @field_validator("number_of_payments")
    @classmethod
    def _fits_term(cls, value: int | None, info: ValidationInfo) -> int | None:
        term = info.data.get("term")
        if term == "fixed" and value is None:
            raise wrong("missing_field", "A fixed term needs its number of payments.")
        if term == "until_canceled" and value is not None:
            raise wrong("invalid_value", "Only a fixed term has a number of payments.")
        return value

    @field_validator("anchor_day")
    @classmethod
    def _fits_frequency(cls, value: int | None, info: ValidationInfo) -> int | None:
        frequency = info.data.get("frequency")
        if value is not None and frequency is not None and months_in(Frequency(frequency)) is None:
            raise wrong("invalid_value", "Only frequencies of months and years have an anchor day.")
        return value

    def to_domain(self) -> Recurrence:
        """The rhythm and its bounds."""
        return Recurrence(Frequency(self.frequency), self.number_of_payments, self.start.to_domain(), self.anchor_day)


class _LineTerms(Body):
    """What both ways of asking for a line may say."""

    quantity: Quantity
    description: Annotated[str, text(1000, lines=True)] | None = None
    discount: LineDiscount | None = None
    tax_rate: TaxRateId | None = None
    tax: LineTax | None = None

    @field_validator("tax")
    @classmethod
    def _one_of_both(cls, value: LineTax | None, info: ValidationInfo) -> LineTax | None:
        if value is not None and info.data.get("tax_rate") is not None:
            raise wrong("invalid_value", "A line has either tax or tax_rate.")
        return value


class PlainLine(_LineTerms):
    """One line, with its price written on it, of a document whose lines do not repeat by themselves."""

    name: Annotated[str, text(250)]
    unit_amount: Amount

    def to_domain(self, currency: str) -> LineOrder:
        """The line as it is asked for, in the document's currency."""
        return LineOrder(
            quantity=self.quantity,
            name=self.name,
            unit_amount=Money(self.unit_amount, currency),
            **_terms(self, currency),
        )


class PlainPricedLine(_LineTerms):
    """One line of the catalogue, of a document whose lines do not repeat by themselves.

    Name and amounts are copied from the price and its product.

    So are a description and a tax, unless the line says another; null says that there is none.
    """

    price: PriceId

    def to_domain(self, currency: str) -> LineOrder:
        """The line as it is asked for."""
        says: set[Literal["description", "tax"]] = set()
        if "description" not in self.model_fields_set:
            says.add("description")
        if not {"tax", "tax_rate"} & self.model_fields_set:
            says.add("tax")
        return LineOrder(
            quantity=self.quantity,
            price_id=self.price,
            product_says=frozenset(says),
            **_terms(self, currency),
        )


def _terms(line: _LineTerms, currency: str) -> dict[str, Any]:
    return {
        "description": line.description,
        "discount": None if line.discount is None else line.discount.to_domain(currency),
        "tax": None if line.tax is None else line.tax.to_domain(),
        "tax_rate_id": line.tax_rate,
    }


class Line(PlainLine):
    """One line, with its price written on it."""

    recurring: LineRecurrence | None = None

    def to_domain(self, currency: str) -> LineOrder:
        """The line as it is asked for, in the document's currency."""
        return _repeating(super().to_domain(currency), self.recurring)


class PricedLine(PlainPricedLine):
    """One line of the catalogue. Name and amounts are copied from the price and its product.

    So are a description and a tax, unless the line says another; null says that there is none.
    """

    recurring: LineRecurrence | None = None

    def to_domain(self, currency: str) -> LineOrder:
        """The line as it is asked for."""
        return _repeating(super().to_domain(currency), self.recurring)


def _repeating(order: LineOrder, recurring: LineRecurrence | None) -> LineOrder:
    return order if recurring is None else replace(order, recurring=recurring.to_domain())


def _kind_of_line(value: Any) -> str:
    return PRICED if isinstance(value, dict) and "price" in value else WRITTEN


AnyLine = Annotated[Annotated[Line, Tag(WRITTEN)] | Annotated[PricedLine, Tag(PRICED)], Discriminator(_kind_of_line)]
Lines = Annotated[list[AnyLine], Field(min_length=1, max_length=MOST_LINES)]
AnyPlainLine = Annotated[
    Annotated[PlainLine, Tag(WRITTEN)] | Annotated[PlainPricedLine, Tag(PRICED)], Discriminator(_kind_of_line)
]
PlainLines = Annotated[list[AnyPlainLine], Field(min_length=1, max_length=MOST_LINES)]
