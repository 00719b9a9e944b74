"""Ending a subscription: one page that asks, one that confirms."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from chalicelib.domain.billing.recurrence import Frequency
from chalicelib.domain.money.amounts import Money
from chalicelib.web.views.common import FieldProblem, MerchantView


@dataclass(frozen=True, slots=True)
class CancelPage:
    """The question. `ends_at` is the end of what is paid; None when it ends at once (nothing has been paid yet)."""

    merchant: MerchantView
    subscription_name: str
    amount: Money
    frequency: Frequency
    post_url: str
    keep_url: str
    form_token: str
    ends_at: datetime | None = None
    reason: str = ""
    errors: tuple[FieldProblem, ...] = ()


@dataclass(frozen=True, slots=True)
class CancelledPage:
    """The answer, also for who comes back later. `ends_at` None: it has ended already."""

    merchant: MerchantView
    subscription_name: str
    ends_at: datetime | None = None
    email: str | None = None
    back_url: str | None = None
