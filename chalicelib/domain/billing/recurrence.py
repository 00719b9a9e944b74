"""How a line repeats: its rhythm, its term, when it starts and on which day of the month it bills."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum


class Frequency(StrEnum):
    """How often a subscription bills."""

    WEEKLY = "weekly"
    BIWEEKLY = "biweekly"
    MONTHLY = "monthly"
    QUARTERLY = "quarterly"
    PER_SIX_MONTHS = "per_six_months"
    ANNUALLY = "annually"
    PER_TWO_YEARS = "per_two_years"
    PER_THREE_YEARS = "per_three_years"
    PER_FOUR_YEARS = "per_four_years"
    PER_FIVE_YEARS = "per_five_years"


class StartType(StrEnum):
    """When a subscription's first period begins, counted from the moment of agreement."""

    AT_PAYMENT = "at_payment"
    AFTER_DAYS = "after_days"
    AFTER_MONTHS = "after_months"
    ON_DATE = "on_date"


@dataclass(frozen=True, slots=True)
class Start:
    """`count` is for after_days and after_months; on_date has a plain date (00:00 in the zone) or an instant."""

    type: StartType = StartType.AT_PAYMENT
    count: int | None = None
    on: date | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Recurrence:
    """A rhythm and its bounds; `number_of_payments` is None for a term that renews until cancelled.

    `anchor_day` (1 to 31, month-based frequencies only) is the day of the month that periods begin on.
    """

    frequency: Frequency
    number_of_payments: int | None = None
    start: Start = Start()
    anchor_day: int | None = None
