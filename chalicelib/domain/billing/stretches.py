"""Charges to come as stretches of one amount each, so that a few words can name all of them and be right."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from chalicelib.domain.billing.schedule import Schedule
from chalicelib.domain.documents.lines import Discount, Fee
from chalicelib.domain.money.amounts import Money


@dataclass(frozen=True, slots=True)
class Stretch:
    """Charges in a row, all of one amount and one rhythm. `first_at` and `second_at` are when the first two are made.

    `second_at` is None where there is only one; `count` is None where they go on until cancelled.
    """

    amount: Money
    first_at: datetime
    second_at: datetime | None
    count: int | None


def stretches(
    schedule: Schedule,
    *,
    first_index: int,
    number_of_payments: int | None,
    discount: Discount | None,
    fees: Sequence[Fee],
    total_at: Callable[[int], Money],
    also_at: Iterable[int] = (),
) -> tuple[Stretch, ...]:
    """The charges from period `first_index` on; `total_at` tells what the invoice of a period comes to.

    An amount can change only where a new epoch begins (so also after a partial period), after the fees, where the
    discount ends, and at the periods that `also_at` names. A new epoch is a stretch of its own even at the same amount,
    since its dates follow another rule. Raises InvalidValue past the calendar's end.
    """
    if number_of_payments is not None and first_index >= number_of_payments:
        return ()
    breaks = {epoch.first_index for epoch in schedule.epochs}
    changes = breaks | set(also_at)
    if fees:
        changes.add(1)
    if discount is not None and discount.duration != "forever":
        changes.add(1 if discount.duration == "once" else discount.duration)
    ahead = sorted(
        index for index in changes if index > first_index and (number_of_payments is None or index < number_of_payments)
    )
    begins: list[tuple[int, Money]] = []
    for index in (first_index, *ahead):
        amount = total_at(index)
        if index in breaks or not begins or begins[-1][1] != amount:
            begins.append((index, amount))
    ends = [*(index for index, _ in begins[1:]), number_of_payments]
    return tuple(
        Stretch(
            amount=amount,
            first_at=schedule.period(index).invoice_at,
            second_at=schedule.period(index + 1).invoice_at if end is None or end - index > 1 else None,
            count=None if end is None else end - index,
        )
        for (index, amount), end in zip(begins, ends, strict=True)
    )
