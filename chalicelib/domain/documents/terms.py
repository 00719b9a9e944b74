"""When an issued invoice is to be paid: on receipt, so many days later, or on a date."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final


@dataclass(frozen=True, slots=True)
class Due:
    """At most one of both is set; on receipt where neither is."""

    net_days: int | None = None
    on: date | None = None

    def day(self, issued: date) -> date:
        """The day by which an invoice is due that is issued on a day; never before it, whatever date was agreed."""
        if self.on is not None:
            return max(self.on, issued)
        return issued + timedelta(days=self.net_days or 0)


ON_RECEIPT: Final = Due()
"""To be paid at once."""
