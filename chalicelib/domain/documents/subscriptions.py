"""Subscriptions: an agreement that yields one invoice per period."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from chalicelib.domain.billing.charges import FirstPeriod, period_totals
from chalicelib.domain.billing.coming import next_at, until_settled
from chalicelib.domain.billing.recurrence import Recurrence
from chalicelib.domain.billing.schedule import Period, Schedule
from chalicelib.domain.billing.stretches import Stretch, stretches
from chalicelib.domain.documents.checkouts import Consent
from chalicelib.domain.documents.invoices import Collection, CollectionBlock, Party
from chalicelib.domain.documents.lines import Discount, Fee, LineItem
from chalicelib.domain.documents.methods import StoredMethod
from chalicelib.domain.documents.terms import ON_RECEIPT, Due
from chalicelib.domain.machines import SUBSCRIPTION, SubscriptionAction, SubscriptionStatus
from chalicelib.domain.money.amounts import Money
from chalicelib.domain.totals import Totals


@dataclass(frozen=True, slots=True)
class PendingChange:
    """What changes with the next period that is invoiced; None leaves a thing as it is.

    A `recurrence` comes with the epoch that it needs, which stands on the schedule already.
    """

    lines: tuple[LineItem, ...] | None = None
    recurrence: Recurrence | None = None


@dataclass(frozen=True, slots=True)
class Subscription:
    """One agreement. `next_index` is the period that will be invoiced next; `timer_at` where its timer stands.

    `past_due_invoices` are the open invoices whose charge failed, that were not tried since it is unpaid, or that were
    sent and are overdue: it is behind until there are none. `untried` counts those issued while it is unpaid.
    `buyer` is who agreed, by the name they gave: an address proves nobody, so nothing stored of its customer is shown.
    It is None where the merchant made the subscription: then the customer is shown as the merchant keeps it.
    `due` are the terms of invoices that are sent. `charge_not_before` keeps charges one day apart after an outage.

    `lines` are those of the period that was invoiced last, and of the next unless `pending` says otherwise. In a pause
    without end `resumes_at` is None. `adjustments` settle changes within the running period on the next invoice; those
    that were billed at once are the `adjustment_invoices`, ids of this period. `credit_balance` is used first on every
    invoice to come. `edits` counts the changes that took effect at once.
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
    resumes_at: datetime | None = None
    pending: PendingChange | None = None
    adjustments: tuple[LineItem, ...] = ()
    adjustment_invoices: tuple[str, ...] = ()
    credit_balance: Money | None = None
    edits: int = 0
    metadata: Mapping[str, str] = field(default_factory=dict)
    version: int = 0

    @property
    def has_ended(self) -> bool:
        """Whether nothing will ever be invoiced again."""
        return self.status in (SubscriptionStatus.CANCELED, SubscriptionStatus.EXPIRED)

    @property
    def acts_at(self) -> datetime | None:
        """When the scheduler has something to do: a period to bill, or an end or the end of a pause that has come.

        None when never again, and in a pause without an end. A period that began before the pause is still billed.
        """
        if self.has_ended:
            return None
        if self.is_ending and self.current_period is not None:
            return self.current_period.end
        return self.resumes_at if self.sits_out else self.schedule.period(self.next_index).start

    @property
    def is_ending(self) -> bool:
        """Whether nothing will be invoiced any more: it ends with the period that was invoiced last."""
        return self.cancel_at_period_end or self.is_last_issued

    @property
    def sits_out(self) -> bool:
        """Whether it is paused, and its next period is one that the pause skips."""
        if self.status is not SubscriptionStatus.PAUSED or self.paused_at is None:
            return False
        return self.schedule.period(self.next_index).start > self.paused_at

    def is_behind(self, now: datetime) -> bool:
        """Whether a period has begun that the scheduler has not invoiced yet."""
        return not self.has_ended and not self.is_ending and not self.sits_out and (self.acts_at or now) <= now

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
        return next_at(self)

    @property
    def credit(self) -> Money:
        """What later invoices have taken off first, zero included."""
        return self.credit_balance or Money.zero(self.currency)

    def with_pending_change(self) -> Subscription:
        """As it is from the next period on."""
        if self.pending is None:
            return self
        recurrence, lines = self.pending.recurrence or self.recurrence, self.pending.lines or self.lines
        changed = tuple(replace(line, recurring=recurrence) for line in lines)
        return replace(self, lines=changed, recurrence=recurrence, pending=None)

    def totals_at(self, index: int) -> Totals:
        """The totals of a period's invoice by these lines, without adjustments and whatever change is pending."""
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
        """What every invoice to come leaves to be paid, by amount; empty where a fixed term has none left."""
        ahead, then = until_settled(self)
        dues = {coming.period.index: coming.due for coming in ahead}
        return stretches(
            then.schedule,
            first_index=self.next_index,
            number_of_payments=then.recurrence.number_of_payments,
            discount=then.discount,
            fees=then.fees,
            total_at=lambda index: dues[index] if index in dues else then.totals_at(index).total,
            also_at=[index + 1 for index in dues],
        )

    def moved(self, action: SubscriptionAction) -> Subscription:
        """In the state that an action leads to."""
        return replace(self, status=SUBSCRIPTION.next(self.status, action))
