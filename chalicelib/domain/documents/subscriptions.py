"""Subscriptions: an agreement that yields one invoice per period."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from chalicelib.domain.billing.charges import FirstPeriod, period_totals
from chalicelib.domain.billing.recurrence import Recurrence
from chalicelib.domain.billing.schedule import Period, Schedule
from chalicelib.domain.billing.stretches import Stretch, stretches
from chalicelib.domain.documents.checkouts import Consent
from chalicelib.domain.documents.invoices import Collection, CollectionBlock, Party
from chalicelib.domain.documents.lines import Discount, Fee, LineItem
from chalicelib.domain.documents.methods import StoredMethod
from chalicelib.domain.documents.terms import ON_RECEIPT, Due
from chalicelib.domain.machines import SUBSCRIPTION, SubscriptionAction, SubscriptionStatus
from chalicelib.domain.totals import Totals


@dataclass(frozen=True, slots=True)
class Subscription:
    """One agreement. `next_index` is the period that will be invoiced next; `timer_at` where its timer stands.

    `past_due_invoices` are the open invoices whose charge failed, that were not tried since it is unpaid, or that were
    sent and are overdue: it is behind until there are none. `untried` counts those issued while it is unpaid.
    `buyer` is who agreed, by the name they gave: an address proves nobody, so nothing stored of its customer is shown.
    It is None where the merchant made the subscription: then the customer is shown as the merchant keeps it.
    `due` are the terms of invoices that are sent. `charge_not_before` keeps charges one day apart after an outage.
    """

    id: str
    merchant_id: str
    secret: str
    customer_id: str
    currency: str
    lines: tuple[LineItem, ...]
    recurrence: Recurrence
    schedule: Schedule
    next_index: int
    collection: Collection
    created_at: datetime
    status: SubscriptionStatus = SubscriptionStatus.ACTIVE
    discount: Discount | None = None
    fees: tuple[Fee, ...] = ()
    first_period: FirstPeriod = FirstPeriod.PRORATED
    due: Due = ON_RECEIPT
    buyer: Party | None = None
    method: StoredMethod | None = None
    consent: Consent | None = None
    payments_made: int = 0
    timer_at: datetime | None = None
    charge_not_before: datetime | None = None
    collection_blocked: CollectionBlock | None = None
    past_due_invoices: tuple[str, ...] = ()
    untried: int = 0
    paused_at: datetime | None = None
    cancel_at_period_end: bool = False
    canceled_at: datetime | None = None
    cancel_reason: str | None = None
    ended_at: datetime | None = None
    payment_link_id: str | None = None
    checkout_id: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    version: int = 0

    @property
    def has_ended(self) -> bool:
        """Whether nothing will ever be invoiced again."""
        return self.status in (SubscriptionStatus.CANCELED, SubscriptionStatus.EXPIRED)

    @property
    def acts_at(self) -> datetime | None:
        """When the scheduler has something to do: a period to bill, or an end that has come. None when never again."""
        if self.has_ended or self.status is SubscriptionStatus.PAUSED:
            return None
        return self.schedule.period(self.next_index).start

    @property
    def is_last_issued(self) -> bool:
        """Whether every payment of a fixed term has been invoiced."""
        total = self.recurrence.number_of_payments
        return total is not None and self.next_index >= total

    @property
    def is_paid_up(self) -> bool:
        """Whether every payment of a fixed term has been made."""
        total = self.recurrence.number_of_payments
        return total is not None and self.payments_made >= total and not self.past_due_invoices

    @property
    def current_period(self) -> Period | None:
        """The period invoiced last, None before the first."""
        return self.schedule.period(self.next_index - 1) if self.next_index > 0 else None

    @property
    def next_invoice_at(self) -> datetime | None:
        """When the next invoice is issued; None when none will be."""
        return None if self.cancel_at_period_end or self.is_last_issued else self.acts_at

    def totals_at(self, index: int) -> Totals:
        """The totals of the invoice of a period: what is shown beforehand, and what the scheduler then issues."""
        return period_totals(
            self.lines,
            currency=self.currency,
            schedule=self.schedule,
            index=index,
            discount=self.discount,
            fees=self.fees,
            first_period=self.first_period,
        )

    @property
    def stretches(self) -> tuple[Stretch, ...]:
        """Every invoice to come, by amount; empty where a fixed term has none left."""
        return stretches(
            self.schedule,
            first_index=self.next_index,
            number_of_payments=self.recurrence.number_of_payments,
            discount=self.discount,
            fees=self.fees,
            total_at=lambda index: self.totals_at(index).total,
        )

    def moved(self, action: SubscriptionAction) -> Subscription:
        """In the state that an action leads to."""
        return replace(self, status=SUBSCRIPTION.next(self.status, action))
