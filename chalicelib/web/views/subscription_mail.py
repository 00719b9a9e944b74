"""Mails about a subscription itself: what becomes of it, not of one of its invoices."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from chalicelib.domain.billing.recurrence import Frequency
from chalicelib.domain.money.amounts import Money
from chalicelib.web.views.common import MerchantView, MethodView


class SubscriptionNews(StrEnum):
    """What such a mail tells."""

    UPCOMING = "upcoming"
    CHANGED = "changed"
    CANCELED = "canceled"
    ENDED = "ended"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True)
class SubscriptionMail:
    """What its owner is told of a subscription called `name`.

    `at` is the moment that it is about: the next charge, the day of a change, the end of what is paid, the end of a
    pause. It is None for what ends or stops at once, and for a pause without an end. `amount` is what the next charge
    comes to, where there is one, and `before` what the last came to. `paid_up` says of one that has ended that all of
    its payments were made, and `sent` that invoices are sent rather than charged.
    """

    merchant: MerchantView
    news: SubscriptionNews
    name: str
    told_at: datetime
    email: str
    url: str
    at: datetime | None = None
    amount: Money | None = None
    before: Money | None = None
    frequency: Frequency | None = None
    method: MethodView | None = None
    paid_up: bool = False
    sent: bool = False
