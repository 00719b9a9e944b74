"""The API's answers about what a subscription will do: its invoices to come, and what a change of it comes to."""

from __future__ import annotations

from typing import Annotated

from typing_extensions import TypedDict  # pydantic reads typing's own from Python 3.12 on only

from chalicelib.domain.billing.recurrence import Frequency
from chalicelib.handlers.api.answer_parts import Adjustment, Line, LocalTime, Minor, Time, Totals
from chalicelib.handlers.api.keywords import shown


class PendingChange(TypedDict):
    """What changes with the next period; null stays as it is."""

    at: Annotated[Time | None, shown("When the next period begins; null while nobody knows.")]
    lines: list[Line] | None
    frequency: Frequency | None


class LocalPeriod(TypedDict):
    """The times of an invoice to come in the subscription's zone."""

    start: LocalTime
    end: LocalTime
    invoice_at: LocalTime


class Upcoming(TypedDict):
    """An invoice to come."""

    index: int
    start: Time
    end: Time
    invoice_at: Time
    local: LocalPeriod
    totals: Totals
    adjustments: Annotated[list[Adjustment], shown("Those among its lines that settle changes.")]
    amount_credited: Annotated[Minor, shown("What the credit balance will take off.")]
    amount_due: Annotated[Minor, shown("What will be left to pay.")]


class Change(TypedDict):
    """What a change within a period comes to: net = charge - credit."""

    at: Annotated[Time, shown("From when it counts.")]
    credit: Annotated[Minor, shown("The unused time of the lines as they were.")]
    charge: Annotated[Minor, shown("The rest of the period by the new lines.")]
    net: Minor
    lines: list[Adjustment]
    billed_now: Annotated[Minor, shown("The total of the invoice that is issued at once.")]
    added_to_next_invoice: Annotated[Minor, shown("What waits for the next invoice then, earlier changes included.")]
    added_to_credit_balance: Minor


class Preview(TypedDict):
    """Invoices to come, nearest first."""

    data: list[Upcoming]
