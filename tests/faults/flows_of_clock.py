"""What the clock sets going: sweeps, invoices of periods, charges without the buyer, mails."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from chalicelib.domain.documents.invoices import Invoice
from chalicelib.domain.documents.merchants import Merchant
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.documents.timers import TimerKind
from chalicelib.domain.machines import InvoiceStatus
from chalicelib.services.billing.parking import unpark
from chalicelib.services.billing.releasing import release_held
from chalicelib.services.invoices.paying import PayInvoice, pay_invoice
from chalicelib.services.ports import QueueName, Update
from chalicelib.services.saving import commit
from chalicelib.services.subscriptions import cancel
from infra.local.faults import Fault, FaultKind
from infra.local.stripe_sandbox import Misbehaviour
from tests.faults import steps
from tests.faults.matrix import Flow, Step
from tests.faults.shop import Case, Shop
from tests.faults.world import ACCOUNT


def _next_period(shop: Shop) -> None:
    """Everything of the first period is done, and the second begins."""
    shop.ignore_bookings()
    shop.settle()
    shop.until(shop.last_next_period())


def issued(shop: Shop) -> None:
    """The second period's invoices are issued, and nothing of them is charged yet."""
    _next_period(shop)
    shop.sweep()
    for message in shop.world.queues.take(QueueName.BILLING):
        shop.work_on(QueueName.BILLING, message)


def _to_bill(shop: Shop, case: Case) -> None:
    case.queue = QueueName.BILLING
    case.message = shop.message_about(TimerKind.BILL_PERIOD, case.subscription_id)


def _without_hints(shop: Shop, case: Case) -> None:
    """The message is of code that told less."""
    assert case.message is not None
    told_less = ("kind", "record_id", "merchant_id", "due")
    body = dict(case.message.body)
    if "timers" in body:
        body["timers"] = [{name: timer[name] for name in told_less} for timer in body["timers"]]
    else:
        body = {name: body[name] for name in told_less}
    case.message = replace(case.message, body=body)


def _to_charge(shop: Shop, case: Case) -> None:
    [case.invoice_id] = [each.id for each in shop.invoices(case) if each.status is InvoiceStatus.OPEN]
    case.queue = QueueName.CHARGES
    case.message = shop.message_about(TimerKind.CHARGE_INVOICE, case.invoice_id)


def _died_charging(operation: str, *, after: bool) -> Step:
    """A worker died over this charge before."""

    def ready(shop: Shop, case: Case) -> None:
        _to_charge(shop, case)
        death = Fault("stripe", operation, FaultKind.KILL, effect=after)
        assert not shop.live(lambda: steps.work(shop, case), death)

    return ready


def _a_day_later(shop: Shop, case: Case) -> None:
    """By now the idempotency keys of the first try are forgotten."""
    issued_at = shop.world.ports.records.get(Invoice, case.invoice_id).issued_at
    assert issued_at is not None
    shop.until(issued_at + timedelta(hours=25))


def _canceled_at_stripe(shop: Shop, case: Case) -> None:
    """Stripe gave the intent up between our saving its id and our next try."""
    _died_charging(steps.CONFIRM, after=False)(shop, case)
    shop.world.stripe.cancel_intent(ACCOUNT, shop.intent_of(case.invoice_id), key=f"gone-{case.number}")


def declines(shop: Shop) -> Case:
    """A subscription whose card no longer pays."""
    case = shop.subscribe()
    method = shop.subscription(case).method
    assert method is not None
    shop.world.sandbox.set_behaviour(method.payment_method_id, "pm_card_chargeCustomerFail")
    return case


def _cannot_transact(shop: Shop) -> None:
    issued(shop)
    merchant = shop.world.ports.records.get(Merchant, shop.merchant.id)
    commit(shop.world.ports, [Update(replace(merchant, can_transact=False))])


def _parked(shop: Shop) -> None:
    issued(shop)
    merchant = shop.world.ports.records.get(Merchant, shop.merchant.id)
    parked = replace(merchant, parked_at=shop.world.clock.now(), parked_reason="more than 0 invoices were due")
    commit(shop.world.ports, [Update(parked)])


def _paid_once_unparked(shop: Shop, case: Case) -> None:
    unpark(shop.world.ports, shop.merchant.id, actor="test")
    shop.settle()
    paid_twice(shop, case)


def _held(shop: Shop) -> None:
    """Nobody was there for eight days after the second period began; its invoices wait for a person."""
    _next_period(shop)
    shop.let_pass(timedelta(days=8))
    shop.sweep()
    for message in shop.world.queues.take(QueueName.BILLING):
        shop.work_on(QueueName.BILLING, message)


def _release(shop: Shop, case: Case) -> None:
    release_held(shop.world.ports, shop.merchant.id, case.subscription_id, actor="test")


def _release_again(shop: Shop, case: Case) -> None:
    shop.come_again(lambda: _release(shop, case))


def _sweep(shop: Shop, case: Case) -> None:
    shop.sweep()


def _things_of_all_kinds(shop: Shop) -> Case:
    """A subscription to bill, a checkout to expire and mails to send."""
    case = shop.subscribe()
    steps.declined(shop)
    return case


def _a_month(shop: Shop) -> None:
    for queue in QueueName:
        shop.world.queues.take(queue)
    shop.until(shop.last_next_period())


def paid_twice(shop: Shop, case: Case) -> None:
    """Both periods are paid, once each."""
    found = [each.status for each in shop.seen_invoices(case)]
    assert found == [InvoiceStatus.PAID, InvoiceStatus.PAID], f"case {case.number}: {found}"


def _owes(shop: Shop, case: Case) -> None:
    """The second period is open, nothing of it was taken, and the subscription says so."""
    found = [each.status for each in shop.seen_invoices(case)]
    assert found == [InvoiceStatus.PAID, InvoiceStatus.OPEN], f"case {case.number}: {found}"


def _is_past_due(shop: Shop, case: Case) -> None:
    _owes(shop, case)
    assert shop.world.seen().get(Subscription, case.subscription_id).status == "past_due"


def unpaid(shop: Shop) -> None:
    """The second period was declined, and its invoice waits for its buyer."""
    _next_period(shop)
    shop.settle()


def with_a_new_card(shop: Shop, case: Case) -> None:
    [invoice] = [each for each in shop.invoices(case) if each.status is InvoiceStatus.OPEN]
    case.invoice_id, case.secret = invoice.id, invoice.secret
    shop.another_card(case)


def _ended_meanwhile(shop: Shop, case: Case) -> None:
    """The buyer cancels while nobody knows how the charge ended."""
    cancel(shop.world.ports, shop.merchant.id, case.subscription_id, at="now", actor="buyer")


def _news_of_the_renewal(shop: Shop, case: Case) -> None:
    case.notice = shop.event_of("payment_intent.succeeded", shop.intent_of(case.invoice_id))


def _while_stripe_fails(shop: Shop, case: Case) -> None:
    """Stripe answers the confirm with an error of its own, which it keeps for the key."""
    shop.world.sandbox.behave()
    shop.world.sandbox.misbehave(Misbehaviour(steps.CONFIRM, 500, effect=False))
    steps.work(shop, case)


def _when_stripe_works(shop: Shop, case: Case) -> None:
    shop.world.sandbox.behave()
    steps.message_again(shop, case)


def pay_the_invoice(shop: Shop, case: Case) -> None:
    """The button of the invoice's page."""
    assert case.form is not None
    request = PayInvoice(
        merchant_slug="pinewood",
        invoice_id=case.invoice_id,
        invoice_secret=case.secret,
        expected_total=4_900,
        confirmation_token=case.form.confirmation_token,
        return_url="https://till.example/return/x",
        consent_words=lambda view, now: "agreed",
        as_shown=lambda view, now: True,
        address="203.0.113.9",
        source=f"address {case.number}",
    )
    pay_invoice(shop.world.ports, request)


def _died_on_the_page(shop: Shop, case: Case) -> None:
    """A first press died before the confirm."""
    death = Fault("stripe", steps.CONFIRM, FaultKind.KILL)
    assert not shop.live(lambda: pay_the_invoice(shop, case), death)


def _came_back(shop: Shop, case: Case) -> None:
    """Longer after that than any request takes; the first case waits for all."""
    if case.number == 1:
        shop.let_pass(timedelta(minutes=2))
    shop.another_card(case)


def _pay_again(shop: Shop, case: Case) -> None:
    shop.another_card(case)
    shop.come_again(lambda: pay_the_invoice(shop, case))


FLOWS = (
    Flow(
        "sweep",
        _things_of_all_kinds,
        _sweep,
        later=_a_month,
        soon=paid_twice,
        ends=paid_twice,
        whole=True,
        in_place=True,
    ),
    Flow(
        "issue",
        Shop.subscribe,
        steps.work,
        later=_next_period,
        ready=(_to_bill,),
        again=steps.message_again,
        soon=paid_twice,
        ends=paid_twice,
        whole=True,
    ),
    Flow(
        "issue, done before, by code that told less",
        Shop.subscribe,
        steps.work,
        later=_next_period,
        ready=(_to_bill, _without_hints, steps.done_before),
        again=steps.message_again,
        soon=paid_twice,
        ends=paid_twice,
    ),
    Flow(
        "charge",
        Shop.subscribe,
        steps.work,
        later=issued,
        ready=(_to_charge,),
        again=steps.message_again,
        soon=paid_twice,
        ends=paid_twice,
        whole=True,
    ),
    Flow(
        "charge, by code that told less",
        Shop.subscribe,
        steps.work,
        later=issued,
        ready=(_to_charge, _without_hints),
        again=steps.message_again,
        soon=paid_twice,
        ends=paid_twice,
    ),
    Flow(
        "charge declined",
        declines,
        steps.work,
        later=issued,
        ready=(_to_charge,),
        again=steps.message_again,
        soon=_is_past_due,
        ends=_is_past_due,
    ),
    Flow(
        "charge, died before the confirm",
        Shop.subscribe,
        steps.work,
        later=issued,
        ready=(_died_charging(steps.CONFIRM, after=False),),
        again=steps.message_again,
        soon=paid_twice,
        ends=paid_twice,
    ),
    Flow(
        "charge, died after the confirm",
        Shop.subscribe,
        steps.work,
        later=issued,
        ready=(_died_charging(steps.CONFIRM, after=True),),
        again=steps.message_again,
        soon=paid_twice,
        ends=paid_twice,
    ),
    Flow(
        "charge, died a day ago over the create",
        Shop.subscribe,
        steps.work,
        later=issued,
        ready=(_died_charging(steps.CREATE, after=True), _a_day_later),
        again=steps.message_again,
        soon=paid_twice,
        ends=paid_twice,
    ),
    Flow(
        "charge, died a day ago before the confirm",
        Shop.subscribe,
        steps.work,
        later=issued,
        ready=(_died_charging(steps.CONFIRM, after=False), _a_day_later),
        again=steps.message_again,
        soon=paid_twice,
        ends=paid_twice,
    ),
    Flow(
        "charge, canceled at Stripe",
        Shop.subscribe,
        steps.work,
        later=issued,
        ready=(_canceled_at_stripe,),
        again=steps.message_again,
        soon=paid_twice,
        ends=paid_twice,
    ),
    Flow(
        "charge of a merchant that cannot",
        Shop.subscribe,
        steps.work,
        later=_cannot_transact,
        ready=(_to_charge,),
        again=steps.message_again,
        soon=_owes,
        ends=_owes,
    ),
    Flow(
        "charge of a parked merchant",
        Shop.subscribe,
        steps.work,
        later=_parked,
        ready=(_to_charge,),
        again=steps.message_again,
        soon=_owes,
        ends=_paid_once_unparked,
    ),
    Flow(
        "held invoices released",
        Shop.subscribe,
        _release,
        later=_held,
        again=_release_again,
        soon=paid_twice,
        ends=paid_twice,
        whole=True,
    ),
    Flow(
        "charge, done before",
        Shop.subscribe,
        steps.work,
        later=issued,
        ready=(_to_charge, steps.done_before),
        again=steps.message_again,
        soon=paid_twice,
        ends=paid_twice,
    ),
    Flow(
        "charge, subscription ended meanwhile",
        Shop.subscribe,
        steps.work,
        later=issued,
        ready=(_died_charging(steps.CONFIRM, after=True), _ended_meanwhile),
        again=steps.message_again,
        soon=paid_twice,
        ends=paid_twice,
    ),
    Flow(
        "charge not made, subscription ended meanwhile",
        Shop.subscribe,
        steps.work,
        later=issued,
        ready=(_died_charging(steps.CONFIRM, after=False), _ended_meanwhile),
        again=steps.message_again,
        soon=_owes,
        ends=_owes,
    ),
    Flow(
        "webhook of a renewal",
        Shop.subscribe,
        steps.take_in,
        later=issued,
        ready=(_died_charging(steps.CONFIRM, after=True), _news_of_the_renewal),
        again=steps.tell_again,
        soon=paid_twice,
        ends=paid_twice,
        always_told=True,
    ),
    Flow(
        "charge, Stripe failing",
        Shop.subscribe,
        _while_stripe_fails,
        later=issued,
        ready=(_to_charge,),
        again=_when_stripe_works,
        soon=paid_twice,
        ends=paid_twice,
    ),
    Flow(
        "invoice paid on its page, once more",
        declines,
        pay_the_invoice,
        later=unpaid,
        ready=(with_a_new_card, _died_on_the_page, _came_back),
        again=_pay_again,
        soon=paid_twice,
        ends=paid_twice,
    ),
    Flow(
        "invoice paid on its page",
        declines,
        pay_the_invoice,
        later=unpaid,
        ready=(with_a_new_card,),
        again=_pay_again,
        soon=paid_twice,
        ends=paid_twice,
    ),
)
