"""A subscription that the merchant makes: begun by the scheduler, billed as agreed, paid on its invoices' pages."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from chalicelib.domain.billing.charges import FirstPeriod
from chalicelib.domain.billing.recurrence import Frequency, Recurrence, Start, StartType
from chalicelib.domain.documents.customers import Customer
from chalicelib.domain.documents.invoices import Collection, Invoice
from chalicelib.domain.documents.lines import Discount, Fee, LineItem
from chalicelib.domain.documents.mails import Mail, MailKind
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.documents.terms import Due
from chalicelib.domain.documents.timers import Timer, TimerKind
from chalicelib.domain.errors import NotFound, StateConflict, TillError
from chalicelib.services.billing.issuing import issue_due
from chalicelib.services.checkouts.submit import Ending
from chalicelib.services.customers import NewCustomer, create_customer
from chalicelib.services.invoices.paying import InvoiceView, PayInvoice, open_invoice, pay_invoice
from chalicelib.services.mails import timer_of
from chalicelib.services.merchants import create_merchant
from chalicelib.services.ports import QueueName, Update, Write
from chalicelib.services.saving import commit
from chalicelib.services.subscribing import NewSubscription, create_subscription, preview_draft
from chalicelib.services.subscriptions import cancel, change_metadata
from tests.services.shop import Shop, usd

NOW = datetime(2027, 1, 31, 20, 30, tzinfo=UTC)
"""15:30 in New York."""


@pytest.fixture
def shop() -> Shop:
    return Shop(NOW)


def at(month: int, day: int, hour: int = 20, minute: int = 30) -> datetime:
    """A time in 2027, UTC."""
    return datetime(2027, month, day, hour, minute, tzinfo=UTC)


def on(day: date) -> Start:
    return Start(StartType.ON_DATE, on=day)


def terms(frequency: Frequency = Frequency.MONTHLY, amount: int = 4_900, **changes: Any) -> NewSubscription:
    """49 dollars a month from now on."""
    rhythm = {name: changes.pop(name) for name in ("number_of_payments", "start", "anchor_day") if name in changes}
    fields: dict[str, Any] = {
        "currency": "usd",
        "lines": (LineItem("Studio membership", 1, usd(amount)),),
        "recurrence": Recurrence(frequency, **rhythm),
    }
    return NewSubscription(**(fields | changes))


def ada(shop: Shop) -> Customer:
    """The customer, made once."""
    [*known] = shop.store.all(Customer)
    new = NewCustomer("ada@example.com", name="Ada Byron", tax_id="US-42")
    return known[0] if known else create_customer(shop.ports, shop.merchant.id, new, actor="test")


def make(shop: Shop, new: NewSubscription | None = None) -> Subscription:
    return create_subscription(shop.ports, shop.merchant.id, ada(shop).id, new or terms(), actor="api:key")


def refused(shop: Shop, new: NewSubscription, *, customer: str | None = None) -> tuple[str, str | None]:
    """Code and field of a refusal, which leaves everything as it is and sends nothing."""
    customer_id = customer or ada(shop).id
    before = (dict(shop.store._rows), dict(shop.store._timers))
    with pytest.raises(TillError) as error:
        create_subscription(shop.ports, shop.merchant.id, customer_id, new, actor="api:key")
    assert (shop.store._rows, shop.store._timers) == before
    assert [shop.queues.waiting(queue) for queue in QueueName] == [[]] * len(QueueName)
    assert (shop.stripe.intents(), shop.mailer.sent) == ([], [])
    return error.value.code, error.value.param


def days(shop: Shop) -> list[str | None]:
    return [None if each.due_date is None else each.due_date.isoformat() for each in shop.invoices()]


# --- made


def test_one_that_starts_now_is_active_and_its_first_invoice_comes_at_once(shop: Shop) -> None:
    made = make(shop)
    assert (made.status, made.next_index, made.timer_at, made.version) == ("active", 0, NOW, 1)
    assert made == shop.subscription(made.id)
    assert shop.event_types()[-2:] == ["subscription.created", "subscription.activated"]
    # Its message is under way already; the timer is for whatever becomes of that.
    [message] = shop.queues.take(QueueName.BILLING)
    issue_due(shop.ports, str(message.body["merchant_id"]), [timer_of(each) for each in message.body["timers"]])
    [invoice] = shop.invoices()
    assert (invoice.number, invoice.status, invoice.issued_at) == ("INV-0001", "open", NOW)
    assert invoice.period is not None
    assert (invoice.period.index, invoice.period.start, invoice.period.end) == (0, NOW, at(2, 28))
    assert (invoice.totals.total, invoice.due_date) == (usd(4_900), date(2027, 1, 31))
    assert invoice.snapshot is not None
    buyer = invoice.snapshot.buyer
    assert (buyer.name, buyer.email, buyer.tax_id) == ("Ada Byron", "ada@example.com", "US-42")
    assert shop.event_types().count("subscription.activated") == 1
    assert [(timer.kind, timer.due) for timer in shop.store.timers] == [(TimerKind.BILL_PERIOD, at(2, 28))]


def test_while_the_queue_is_down_the_next_sweep_bills_it(shop: Shop) -> None:
    shop.queues.fail_next()
    made = make(shop)
    assert shop.queues.waiting(QueueName.BILLING) == []
    shop.settle()
    assert [invoice.subscription_id for invoice in shop.invoices()] == [made.id]


def test_one_that_starts_later_is_scheduled_and_not_billed_a_second_early(shop: Shop) -> None:
    made = make(shop, terms(start=on(date(2027, 3, 1))))
    midnight = datetime(2027, 3, 1, 5, tzinfo=UTC)
    assert (made.status, made.timer_at) == ("scheduled", midnight)
    assert shop.queues.waiting(QueueName.BILLING) == []
    shop.until(midnight - timedelta(seconds=1))
    shop.settle()
    assert (shop.invoices(), shop.subscription(made.id).status) == ([], "scheduled")
    shop.until(midnight)
    assert [invoice.issued_at for invoice in shop.invoices()] == [midnight]
    assert shop.subscription(made.id).status == "active"
    assert shop.event_types()[-2:] == ["invoice.issued", "subscription.activated"]


def test_a_start_today_bills_from_midnight_and_one_a_day_before_is_refused(shop: Shop) -> None:
    assert refused(shop, terms(start=on(date(2027, 1, 30)))) == ("invalid_date", "start.value")
    # In UTC this is today, in New York it is not.
    early = Start(StartType.ON_DATE, at=datetime(2027, 1, 31, 4, 59, 59, tzinfo=UTC))
    assert refused(shop, terms(start=early)) == ("invalid_date", "start.value")
    made = make(shop, terms(start=on(date(2027, 1, 31))))
    assert made.status == "active"
    shop.settle()
    [invoice] = shop.invoices()
    assert invoice.period is not None
    assert (invoice.period.start, invoice.issued_at) == (datetime(2027, 1, 31, 5, tzinfo=UTC), NOW)


@pytest.mark.parametrize(
    ("start", "begins"),
    [
        (Start(StartType.AFTER_DAYS, 14), at(2, 14)),
        # New York springs forward in between: the same local hour is an hour earlier in UTC.
        (Start(StartType.AFTER_MONTHS, 2), at(3, 31, 19)),
        (Start(StartType.AFTER_MONTHS, 1), at(2, 28)),
    ],
)
def test_a_delayed_start_keeps_the_local_hour(shop: Shop, start: Start, begins: datetime) -> None:
    assert make(shop, terms(start=start)).timer_at == begins


def test_what_each_merchant_cannot_see_cannot_be_billed(shop: Shop) -> None:
    other, _ = create_merchant(shop.ports, name="Other", timezone="UTC", currency="usd", ready=True)
    stranger = create_customer(shop.ports, other.id, NewCustomer("ada@example.com"), actor="test")
    assert refused(shop, terms(), customer=stranger.id) == ("not_found", "customer")
    assert refused(shop, terms(), customer="cus_none") == ("not_found", "customer")
    assert refused(shop, terms(), customer=shop.merchant.id) == ("not_found", "customer")


def test_a_merchant_that_cannot_transact_may_look_and_not_start(shop: Shop) -> None:
    commit(shop.ports, [Update(replace(shop.merchant, can_transact=False))])
    assert refused(shop, terms()) == ("not_ready_to_transact", None)
    assert len(preview_draft(shop.ports, shop.merchant.id, terms(), 3)) == 3


# --- amounts


@pytest.mark.parametrize(
    ("new", "code"),
    [
        (terms(amount=49), "below_minimum"),
        (terms(amount=99_999_999, fees=(Fee("Setup", usd(1)),)), "above_maximum"),
        # Only the first two invoices are too small.
        (terms(discount=Discount(percent=Decimal(99), duration=2)), "below_minimum"),
        # Only those after the fee are.
        (terms(amount=40, fees=(Fee("Setup", usd(1_000)),)), "below_minimum"),
        # Nine of 31 days of a dollar: 29 cents.
        (terms(amount=100, anchor_day=9), "below_minimum"),
        (
            terms(lines=(LineItem("A", 999_999, usd(99_999_999)),)),
            "above_maximum",
        ),
    ],
)
def test_what_could_not_be_charged_is_refused_when_it_is_made(shop: Shop, new: NewSubscription, code: str) -> None:
    assert refused(shop, new) == (code, "lines")
    with pytest.raises(TillError) as error:
        preview_draft(shop.ports, shop.merchant.id, new, 3)
    assert (error.value.code, error.value.param) == (code, "lines")


def test_what_costs_nothing_is_paid_as_it_is_issued_and_sent_to_nobody(shop: Shop) -> None:
    free = Discount(percent=Decimal(100), duration=1)
    made = make(shop, terms(collection=Collection.SEND, discount=free))
    shop.settle()
    [invoice] = shop.invoices()
    assert (invoice.status, invoice.totals.total, invoice.collection_blocked) == ("paid", usd(0), None)
    assert (shop.mailer.sent, shop.subscription(made.id).payments_made) == ([], 1)
    shop.until(at(2, 28))
    assert [(each.status, each.totals.total) for each in shop.invoices()] == [("paid", usd(0)), ("open", usd(4_900))]


@pytest.mark.parametrize(
    ("first", "amount"),
    [
        # 8 of the 31 days from 8 January to 8 February are left, from 15:30 to 15:30.
        (FirstPeriod.PRORATED, 1_265),
        (FirstPeriod.FULL, 4_900),
        (FirstPeriod.FREE, 0),
    ],
)
def test_the_first_period_before_an_anchor_day_is_prorated_full_or_free(
    shop: Shop, first: FirstPeriod, amount: int
) -> None:
    make(shop, terms(anchor_day=8, first_period=first))
    shop.until(at(3, 8))
    assert [invoice.period and (invoice.period.start, invoice.period.end) for invoice in shop.invoices()] == [
        (NOW, at(2, 8)),
        (at(2, 8), at(3, 8)),
        (at(3, 8), at(4, 8, 19)),
    ]
    assert [invoice.totals.total.minor for invoice in shop.invoices()] == [amount, 4_900, 4_900]


def test_fees_are_on_the_first_invoice_and_a_discount_for_as_long_as_it_says(shop: Shop) -> None:
    make(
        shop,
        terms(
            fees=(Fee("Setup", usd(1_000)), Fee("Handling", percent=Decimal(10))),
            discount=Discount(usd(900), duration=2),
        ),
    )
    shop.until(at(3, 31))
    assert [invoice.totals.total.minor for invoice in shop.invoices()] == [5_400, 4_000, 4_900]


# --- charged automatically


def page_words(view: InvoiceView, now: datetime) -> str | None:
    """What the page would have its buyer agree to."""
    return "agreed" if view.charged_later else None


def pay(shop: Shop, invoice: Invoice, **changes: Any) -> Ending:
    form = PayInvoice(
        merchant_slug="pinewood",
        invoice_id=invoice.id,
        invoice_secret=invoice.secret,
        expected_total=invoice.totals.total.minor,
        confirmation_token=shop.token(),
        return_url="https://till.example/return",
        consent_words=page_words,
        as_shown=lambda view, now: True,
        address="203.0.113.9",
    )
    return pay_invoice(shop.ports, replace(form, **changes)).ending


def test_without_a_method_its_invoices_are_open_blocked_and_asked_for_by_nobody(shop: Shop) -> None:
    made = make(shop)
    assert made.collection_blocked == "no_payment_method"
    shop.until(at(3, 31))
    assert [(each.status, each.collection_blocked, each.charge_at) for each in shop.invoices()] == [
        ("open", "no_payment_method", None)
    ] * 3
    assert shop.subscription(made.id).status == "active"
    assert (shop.stripe.intents(), shop.mailer.sent) == ([], [])


def test_the_card_that_pays_its_invoice_is_kept_with_consent_and_charged_from_then_on(shop: Shop) -> None:
    made = make(shop)
    shop.settle()
    [first] = shop.invoices()
    assert pay(shop, first) is Ending.PAID
    kept = shop.subscription(made.id)
    assert kept.method is not None
    assert kept.consent is not None
    assert (kept.method.method.last4, kept.consent.text) == ("4242", "agreed")
    assert (kept.collection_blocked, kept.payments_made) == (None, 1)
    shop.until(at(3, 31))
    assert [(each.status, each.collection_blocked) for each in shop.invoices()] == [("paid", None)] * 3
    assert len(shop.succeeded()) == len(shop.payments()) == 3
    assert {intent.customer_id for intent in shop.succeeded()} == {kept.method.stripe_customer_id}


# --- sent


def test_a_sent_invoice_has_its_terms_and_goes_out_by_mail_once(shop: Shop) -> None:
    made = make(shop, terms(collection=Collection.SEND, due=Due(net_days=30)))
    assert made.collection_blocked is None
    shop.until(at(2, 28))
    assert [(each.collection, each.status, each.collection_blocked) for each in shop.invoices()] == [
        ("send", "open", None)
    ] * 2
    assert days(shop) == ["2027-03-02", "2027-03-30"]
    mails = shop.store.all(Mail)
    assert {(mail.kind, mail.to, mail.about_id, mail.state) for mail in mails} == {
        (MailKind.INVOICE, "ada@example.com", each.id, "sent") for each in shop.invoices()
    }
    assert (len(mails), len(shop.mailer.sent), shop.stripe.intents()) == (2, 2, [])


@pytest.mark.parametrize(
    ("due", "expected"),
    [
        (Due(), ["2027-01-31", "2027-02-28", "2027-03-31"]),
        (Due(net_days=7), ["2027-02-07", "2027-03-07", "2027-04-07"]),
        # What is issued after the date that was agreed is due at once.
        (Due(on=date(2027, 3, 15)), ["2027-03-15", "2027-03-15", "2027-03-31"]),
    ],
)
def test_terms_count_from_the_day_of_issue(shop: Shop, due: Due, expected: list[str]) -> None:
    make(shop, terms(collection=Collection.SEND, due=due))
    shop.until(at(3, 31))
    assert days(shop) == expected


def test_after_an_outage_whoever_is_sent_an_invoice_has_the_whole_of_its_terms(shop: Shop) -> None:
    make(shop, terms(collection=Collection.SEND, due=Due(net_days=30)))
    shop.settle()
    shop.clock.set(at(4, 10))
    shop.settle()
    assert days(shop) == ["2027-03-02", "2027-05-10", "2027-05-10"]
    assert {invoice.collection_blocked for invoice in shop.invoices()} == {None}


def test_a_date_before_the_first_invoice_is_no_date_to_pay_by(shop: Shop) -> None:
    late = terms(collection=Collection.SEND, due=Due(on=date(2027, 2, 28)), start=on(date(2027, 3, 1)))
    assert refused(shop, late) == ("invalid_date", "due.date")


def test_the_card_that_pays_a_sent_invoice_is_not_kept(shop: Shop) -> None:
    made = make(shop, terms(collection=Collection.SEND))
    shop.settle()
    [first] = shop.invoices()
    assert open_invoice(shop.ports, "pinewood", first.id, first.secret).charged_later is None
    assert pay(shop, first) is Ending.PAID
    after = shop.subscription(made.id)
    assert (after.method, after.consent, after.payments_made) == (None, None, 1)
    shop.until(at(2, 28))
    assert [each.status for each in shop.invoices()] == ["paid", "open"]


@pytest.mark.parametrize("collection", list(Collection))
def test_a_fixed_term_that_is_owed_ends_once_it_is_paid(shop: Shop, collection: Collection) -> None:
    made = make(shop, terms(number_of_payments=2, collection=collection))
    shop.until(at(6, 30))
    first, last = shop.invoices()
    owed = shop.subscription(made.id)
    # What was sent is overdue by now; without a method nothing was tried, so nothing failed.
    status = "past_due" if collection is Collection.SEND else "active"
    assert (owed.status, owed.timer_at, owed.next_invoice_at, owed.payments_made) == (status, None, None, 0)
    assert [str(each) for each in shop.check().violations] == []
    assert pay(shop, last) is Ending.PAID
    assert shop.subscription(made.id).timer_at is None
    assert pay(shop, first) is Ending.PAID
    shop.settle()
    over = shop.subscription(made.id)
    assert (over.status, over.payments_made) == ("expired", 2)
    assert len(shop.invoices()) == 2


# --- many at once


def test_twenty_sent_subscriptions_are_issued_with_numbers_in_a_row_whatever_fits_a_transaction(shop: Shop) -> None:
    made = [make(shop, terms(collection=Collection.SEND)) for _ in range(20)]
    shop.settle()
    assert [invoice.number for invoice in shop.invoices()] == [f"INV-{n:04d}" for n in range(1, 21)]
    assert {invoice.subscription_id for invoice in shop.invoices()} == {each.id for each in made}
    assert len(shop.mailer.sent) == 20


def test_documents_too_heavy_for_one_transaction_are_issued_in_several(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = LineItem("Retouching", 1, usd(100), description="é" * 480)
    made = [make(shop, terms(lines=(line,) * 100)) for _ in range(15)]
    sizes: list[int] = []
    whole = shop.store.commit

    def measured(operation_id: str, writes: list[Write]) -> None:
        before = sum(len(row.body.encode()) for row in shop.store._rows.values())
        whole(operation_id, writes)
        sizes.append(sum(len(row.body.encode()) for row in shop.store._rows.values()) - before)

    monkeypatch.setattr(shop.store, "commit", measured)
    timers = [Timer(TimerKind.BILL_PERIOD, each.id, each.merchant_id, NOW) for each in made]
    assert issue_due(shop.ports, shop.merchant.id, timers).invoices == 15
    assert [invoice.number for invoice in shop.invoices()] == [f"INV-{n:04d}" for n in range(1, 16)]
    # What is updated weighs again as much as what is put.
    assert max(sizes) * 2 < 4_000_000


# --- changed and ended


@pytest.mark.parametrize("when", ["now", "period_end"])
def test_a_cancelled_scheduled_subscription_never_issues(shop: Shop, when: Any) -> None:
    made = make(shop, terms(start=on(date(2027, 3, 1))))
    ended = cancel(shop.ports, shop.merchant.id, made.id, at=when, actor="api:key")
    assert (ended.status, ended.timer_at, ended.ended_at) == ("canceled", None, NOW)
    with pytest.raises(StateConflict):
        cancel(shop.ports, shop.merchant.id, made.id, at=when, actor="api:key")
    # What is left to do is to tell its owner.
    assert [timer.kind for timer in shop.store.timers] == [TimerKind.SEND_MAIL]
    # A message that was on its way finds nothing to do.
    stale = Timer(TimerKind.BILL_PERIOD, made.id, made.merchant_id, datetime(2027, 3, 1, 5, tzinfo=UTC))
    shop.clock.set(at(4, 1))
    assert issue_due(shop.ports, shop.merchant.id, [stale]).invoices == 0
    shop.settle()
    assert (shop.invoices(), shop.event_types().count("subscription.canceled")) == ([], 1)


def test_one_cancelled_at_period_end_issues_no_more_and_ends_on_that_day(shop: Shop) -> None:
    made = make(shop, terms(collection=Collection.SEND, due=Due(net_days=60)))
    shop.settle()
    first = cancel(shop.ports, shop.merchant.id, made.id, at="period_end", actor="api:key")
    assert cancel(shop.ports, shop.merchant.id, made.id, at="period_end", actor="api:key") == first
    assert (first.status, first.next_invoice_at) == ("active", None)
    shop.until(at(2, 28) - timedelta(seconds=1))
    assert shop.subscription(made.id).status == "active"
    shop.until(at(2, 28))
    assert (shop.subscription(made.id).status, len(shop.invoices())) == ("canceled", 1)
    # The open invoice stays payable.
    assert pay(shop, shop.invoices()[0]) is Ending.PAID


def test_metadata_changes_by_itself_and_is_told_once(shop: Shop) -> None:
    made = make(shop, terms(metadata={"order": "1"}))
    change_metadata(shop.ports, shop.merchant.id, made.id, {"order": "2"}, actor="api:key")
    again = change_metadata(shop.ports, shop.merchant.id, made.id, {"order": "2"}, actor="api:key")
    assert again == replace(made, metadata={"order": "2"}, version=2)
    assert shop.event_types().count("subscription.updated") == 1
    with pytest.raises(NotFound):
        change_metadata(shop.ports, "mer_other", made.id, {}, actor="api:key")
