"""Schedulers and workers at once: one invoice a period, one charge an invoice, numbers in a row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta

from chalicelib.domain.documents.invoices import Invoice
from chalicelib.domain.documents.mails import Mail
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.documents.timers import Timer, TimerKind
from chalicelib.domain.errors import TillError
from chalicelib.services.billing.charging import charge_timer
from chalicelib.services.billing.issuing import MOST_TOGETHER, issue_due
from chalicelib.services.billing.retrying import retry_past_due
from chalicelib.services.billing.sweeping import sweep
from chalicelib.services.checkouts.submit import Ending
from chalicelib.services.mails import send_mail
from chalicelib.services.ports import ProviderBusy, QueueName
from tests.races.arena import RENEWS, Arena, each_thread, later
from tests.races.at_once import THREADS, at_once, told
from tests.services.shop import plain_mail, timer_of


def charging(arena: Arena, timer: Timer) -> Callable[[int], str | Exception]:
    """A worker with this message, which may find Stripe at work on the very same request (409)."""
    return lambda number: told(ProviderBusy, lambda: arena.charge(number, timer))()


def test_two_schedulers_and_two_workers_each_bill_and_charge_everything_once(arena: Arena) -> None:
    arena.subscribe(6)
    arena.clock.set(RENEWS)
    at_once([lambda: sweep(arena.at(0)), lambda: sweep(arena.at(1))])
    billing = arena.ports.queues.take(QueueName.BILLING)
    timers = [[timer_of(each) for each in message.body["timers"]] for message in billing]
    assert sum(len(each) for each in timers) == 12

    # Each of the two workers has every message, in another order.
    def bill(number: int) -> int:
        messages = timers[:: 1 - 2 * number]
        return sum(issue_due(arena.at(number), arena.merchant.id, each).invoices for each in messages)

    assert sum(at_once([lambda: bill(0), lambda: bill(1)])) == 6
    at_once([lambda: sweep(arena.at(0)), lambda: sweep(arena.at(1))])
    charges = [timer_of(message.body) for message in arena.ports.queues.take(QueueName.CHARGES)]
    assert len(charges) == 12

    def work(number: int) -> list[str | Exception]:
        return [charging(arena, timer)(number) for timer in charges[:: 1 - 2 * number]]

    at_once([lambda: work(0), lambda: work(1)])
    for timer in charges:
        arena.charge(0, timer)
    assert [invoice.status for invoice in arena.all(Invoice)] == ["paid"] * 7
    assert len(arena.charged()) == 7
    assert [timer for timer in arena.timers() if timer.kind is not TimerKind.SEND_MAIL] == []


def test_sixteen_workers_with_one_message_issue_one_invoice(arena: Arena) -> None:
    [subscription] = arena.subscribe()
    arena.clock.set(RENEWS)
    issued = at_once(each_thread(lambda n: arena.issue(n, subscription)))
    assert sorted(issued) == [0] * (THREADS - 1) + [1]
    assert arena.numbers() == ["INV-0001", "INV-0002"]
    assert arena.event_types()["invoice.issued"] == 2


def test_sixteen_renewals_of_one_merchant_take_sixteen_numbers_in_a_row(arena: Arena) -> None:
    subscriptions = arena.subscribe(THREADS)
    arena.clock.set(RENEWS)
    assert at_once(each_thread(lambda n: arena.issue(n, subscriptions[n]))) == [1] * THREADS
    renewed = [invoice for invoice in arena.all(Invoice) if invoice.period is not None and invoice.period.index == 1]
    assert sorted(each.number or "" for each in renewed) == [f"INV-{n:04d}" for n in range(3, 19)]
    assert len({invoice.subscription_id for invoice in renewed}) == THREADS


def test_workers_whose_batches_overlap_bill_each_subscription_once_for_each_month_of_an_outage(arena: Arena) -> None:
    subscriptions = arena.subscribe(6)
    arena.clock.set(later(RENEWS, days=62))
    batches = [(subscriptions * 2)[n % 6 : n % 6 + 4] for n in range(THREADS)]
    assert all(len(batch) <= MOST_TOGETHER for batch in batches)
    assert sum(at_once(each_thread(lambda n: arena.issue(n, *batches[n])))) == 6 * 3
    renewed = [invoice for invoice in arena.all(Invoice) if invoice.period is not None]
    periods = Counter((invoice.subscription_id, invoice.period and invoice.period.index) for invoice in renewed)
    assert set(periods.values()) == {1}
    assert len(periods) == 6 * 3


def test_bookings_and_renewals_of_one_merchant_at_once_share_one_row_of_numbers(arena: Arena) -> None:
    subscriptions = arena.subscribe(8)
    arena.clock.set(RENEWS)
    forms = [arena.form(arena.one_time, email=f"once{n}@example.com") for n in range(8)]

    def work(number: int) -> object:
        if number % 2:
            return arena.issue(number, subscriptions[number // 2])
        return arena.press(number, forms[number // 2]).ending

    said = at_once(each_thread(work))
    assert said == [Ending.PAID, 1] * 8
    assert len(arena.all(Invoice)) == 17


def test_sixteen_workers_on_one_invoice_charge_it_once(arena: Arena) -> None:
    [(invoice, timer)] = arena.renewals(*arena.subscribe())
    said = at_once(each_thread(charging(arena, timer)))
    assert "paid" in said
    assert arena.ports.records.get(Invoice, invoice.id).status == "paid"
    assert len(arena.charged()) == 2
    assert [attempt.number for attempt in arena.ports.records.get(Invoice, invoice.id).part.attempts] == [1]
    assert arena.event_types()["payment.succeeded"] == 2


def test_sixteen_workers_on_one_invoice_are_declined_once_and_one_mail_asks_the_buyer(arena: Arena) -> None:
    [subscription] = arena.subscribe()
    [(invoice, timer)] = arena.renewals(subscription)
    arena.behave(subscription, "pm_card_chargeCustomerFail")
    at_once(each_thread(charging(arena, timer)))
    after = arena.ports.records.get(Invoice, invoice.id)
    assert [(each.number, each.outcome) for each in after.part.attempts] == [(1, "declined")]
    # One step of its ladder, a day later, whoever wrote it.
    assert (after.charge_at, after.part.attempts[0].next_at) == (timer.due + timedelta(days=1),) * 2
    assert arena.ports.records.get(Subscription, subscription.id).past_due_invoices == (invoice.id,)
    assert [mail.kind for mail in arena.all(Mail)].count("retrying") == 1
    assert arena.event_types()["invoice.payment_failed"] == 1
    assert len(arena.charged()) == 1


def test_sixteen_workers_with_one_mail_send_it_once(arena: Arena) -> None:
    arena.subscribe()
    [mail] = arena.all(Mail)
    said = at_once(each_thread(lambda n: send_mail(arena.at(n), arena.mailer, plain_mail, mail.id)))
    assert Counter(said)["sent"] >= 1
    assert [each.to for each in arena.mailer.sent] == ["anna@example.com"]


def on_a_ladder(arena: Arena, behaves: str) -> tuple[Subscription, Invoice, Timer]:
    """A subscription whose renewal has just been declined, that invoice, and the timer of what is next for it."""
    [subscription] = arena.subscribe()
    [(invoice, timer)] = arena.renewals(subscription)
    arena.behave(subscription, behaves)
    arena.charge(0, timer)
    after = arena.ports.records.get(Invoice, invoice.id)
    following = charge_timer(after)
    assert following is not None
    arena.clock.set(following.due)
    return subscription, after, following


def test_sixteen_workers_at_a_step_of_the_ladder_make_one_try(arena: Arena) -> None:
    subscription, invoice, timer = on_a_ladder(arena, "pm_card_chargeCustomerFail")
    arena.behave(subscription, "pm_card_visa")
    at_once(each_thread(charging(arena, timer)))
    after = arena.ports.records.get(Invoice, invoice.id)
    assert [(each.number, each.outcome) for each in after.part.attempts] == [(1, "declined"), (2, "succeeded")]
    assert arena.ports.records.get(Subscription, subscription.id).status == "active"
    assert arena.event_types()["subscription.recovered"] == 1
    assert [mail.kind for mail in arena.all(Mail)].count("recovered") == 1
    assert len(arena.charged()) == 2


def test_sixteen_workers_at_the_end_of_the_ladder_give_it_up_once(arena: Arena) -> None:
    subscription, invoice, timer = on_a_ladder(arena, "pm_card_chargeDeclinedLostCard")
    said = at_once(each_thread(charging(arena, timer)))
    assert said.count("given up") == 1
    assert arena.ports.records.get(Invoice, invoice.id).charge_at is None
    assert arena.ports.records.get(Subscription, subscription.id).status == "unpaid"
    assert arena.event_types()["subscription.unpaid"] == 1
    assert len(arena.charged()) == 1


def test_retries_by_hand_at_once_with_the_step_that_is_due_make_one_try(arena: Arena) -> None:
    subscription, invoice, timer = on_a_ladder(arena, "pm_card_chargeCustomerFail")
    arena.behave(subscription, "pm_card_visa")

    def work(number: int) -> object:
        if number % 2:
            return charging(arena, timer)(number)
        return told(TillError, lambda: retry_past_due(arena.at(number), arena.merchant.id, subscription.id))()

    at_once(each_thread(work))
    for due in arena.timers():
        if due.kind is TimerKind.CHARGE_INVOICE:
            charging(arena, due)(0)
    after = arena.ports.records.get(Invoice, invoice.id)
    assert [(each.number, each.outcome) for each in after.part.attempts] == [(1, "declined"), (2, "succeeded")]
    assert len(arena.charged()) == 2
