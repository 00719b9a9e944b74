"""What the clock sets going: sweeps, invoices of periods, charges without the buyer, mails."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from chalicelib.domain.documents.invoices import Invoice
from chalicelib.domain.documents.mails import MailKind
from chalicelib.domain.documents.merchants import Merchant
from chalicelib.domain.documents.timers import TimerKind
from chalicelib.domain.machines import InvoiceStatus
from chalicelib.services.invoices.paying import PayInvoice, pay_invoice
from chalicelib.services.ports import QueueName, Update
from chalicelib.services.saving import commit
from infra.local.faults import Fault, FaultKind
from infra.local.stripe_sandbox import Misbehaviour
from tests.faults import steps
from tests.faults.matrix import Flow, Step
from tests.faults.shop import Case, Shop
from tests.faults.world import ACCOUNT


def _next_period(shop: Shop) -> None:
    """Everything of the first period is done, and the second begins."""
    shop.settle()
    shop.until(shop.last_next_period())


def _issued(shop: Shop) -> None:
    """The second period's invoices are issued, and nothing of them is charged yet."""
    _next_period(shop)
    shop.sweep()
    for message in shop.world.queues.take(QueueName.BILLING):
        shop.work_on(QueueName.BILLING, message)


def _to_bill(shop: Shop, case: Case) -> None:
    case.queue = QueueName.BILLING
    case.message = shop.message_about(TimerKind.BILL_PERIOD, case.subscription_id)


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


def _declines(shop: Shop) -> Case:
    """A subscription whose card no longer pays."""
    case = shop.subscribe()
    method = shop.subscription(case).method
    assert method is not None
    shop.world.sandbox.set_behaviour(method.payment_method_id, "pm_card_chargeCustomerFail")
    return case


def _cannot_transact(shop: Shop) -> None:
    _issued(shop)
    merchant = shop.world.ports.records.get(Merchant, shop.merchant.id)
    commit(shop.world.ports, [Update(replace(merchant, can_transact=False))])


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


def _receipt(shop: Shop, case: Case) -> None:
    mail = shop.mail_about(shop.checkout(case).invoice_id, MailKind.RECEIPT)
    case.message = shop.message_about(TimerKind.SEND_MAIL, mail.id)


def _paid_twice(shop: Shop, case: Case) -> None:
    """Both periods are paid, once each."""
    found = [each.status for each in shop.invoices(case)]
    assert found == [InvoiceStatus.PAID, InvoiceStatus.PAID], f"case {case.number}: {found}"


def _owes(shop: Shop, case: Case) -> None:
    """The second period is open, nothing of it was taken, and the subscription says so."""
    found = [each.status for each in shop.invoices(case)]
    assert found == [InvoiceStatus.PAID, InvoiceStatus.OPEN], f"case {case.number}: {found}"


def _is_past_due(shop: Shop, case: Case) -> None:
    _owes(shop, case)
    assert shop.subscription(case).status == "past_due"


def _unpaid(shop: Shop) -> None:
    """The second period was declined, and its invoice waits for its buyer."""
    _next_period(shop)
    shop.settle()


def _with_a_new_card(shop: Shop, case: Case) -> None:
    [invoice] = [each for each in shop.invoices(case) if each.status is InvoiceStatus.OPEN]
    case.invoice_id, case.secret = invoice.id, invoice.secret
    shop.another_card(case)


def _done_before(shop: Shop, case: Case) -> None:
    """The message is a late copy of one that was worked on."""
    steps.work(shop, case)


def _while_stripe_fails(shop: Shop, case: Case) -> None:
    """Stripe answers the confirm with an error of its own, which it keeps for the key."""
    shop.world.sandbox.behave()
    shop.world.sandbox.misbehave(Misbehaviour(steps.CONFIRM, 500, effect=False))
    steps.work(shop, case)


def _when_stripe_works(shop: Shop, case: Case) -> None:
    shop.world.sandbox.behave()
    steps.message_again(shop, case)


def _refused_by_ses(shop: Shop, case: Case) -> None:
    assert case.form is not None
    shop.world.mailer.refuse(case.form.email)
    steps.work(shop, case)


def _while_ses_is_down(shop: Shop, case: Case) -> None:
    shop.world.mailer.fail_next()
    steps.work(shop, case)


def _when_ses_is_up(shop: Shop, case: Case) -> None:
    shop.world.mailer.fail_next(0)
    steps.message_again(shop, case)


def _declined_and_not_told(shop: Shop) -> None:
    """The second period was declined, and the mail that says so is still in the outbox."""
    _issued(shop)
    shop.sweep()
    for queue in QueueName:
        for message in shop.world.queues.take(queue):
            if queue is QueueName.CHARGES:
                shop.work_on(queue, message)
    shop.world.queues.take(QueueName.WORK)


def _paid_before_it_was_told(shop: Shop, case: Case) -> None:
    _with_a_new_card(shop, case)
    _pay_the_invoice(shop, case)


def _needless_mail(shop: Shop, case: Case) -> None:
    case.message = shop.message_about(TimerKind.SEND_MAIL, shop.mail_about(case.invoice_id, MailKind.NEEDS_YOU).id)


def _pay_the_invoice(shop: Shop, case: Case) -> None:
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
        address="203.0.113.9",
    )
    pay_invoice(shop.world.ports, request)


def _pay_again(shop: Shop, case: Case) -> None:
    shop.another_card(case)
    shop.come_again(lambda: _pay_the_invoice(shop, case))


def _got_a_receipt(shop: Shop, case: Case) -> None:
    assert case.form is not None
    assert [mail for mail in shop.world.mailer.sent if mail.to == case.form.email]


FLOWS = (
    Flow(
        "sweep",
        _things_of_all_kinds,
        _sweep,
        later=_a_month,
        soon=_paid_twice,
        ends=_paid_twice,
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
        soon=_paid_twice,
        ends=_paid_twice,
        whole=True,
    ),
    Flow(
        "charge",
        Shop.subscribe,
        steps.work,
        later=_issued,
        ready=(_to_charge,),
        again=steps.message_again,
        soon=_paid_twice,
        ends=_paid_twice,
        whole=True,
    ),
    Flow(
        "charge declined",
        _declines,
        steps.work,
        later=_issued,
        ready=(_to_charge,),
        again=steps.message_again,
        soon=_is_past_due,
        ends=_is_past_due,
    ),
    Flow(
        "charge, died before the confirm",
        Shop.subscribe,
        steps.work,
        later=_issued,
        ready=(_died_charging(steps.CONFIRM, after=False),),
        again=steps.message_again,
        soon=_paid_twice,
        ends=_paid_twice,
    ),
    Flow(
        "charge, died after the confirm",
        Shop.subscribe,
        steps.work,
        later=_issued,
        ready=(_died_charging(steps.CONFIRM, after=True),),
        again=steps.message_again,
        soon=_paid_twice,
        ends=_paid_twice,
    ),
    Flow(
        "charge, died a day ago over the create",
        Shop.subscribe,
        steps.work,
        later=_issued,
        ready=(_died_charging(steps.CREATE, after=True), _a_day_later),
        again=steps.message_again,
        soon=_paid_twice,
        ends=_paid_twice,
    ),
    Flow(
        "charge, died a day ago before the confirm",
        Shop.subscribe,
        steps.work,
        later=_issued,
        ready=(_died_charging(steps.CONFIRM, after=False), _a_day_later),
        again=steps.message_again,
        soon=_paid_twice,
        ends=_paid_twice,
    ),
    Flow(
        "charge, canceled at Stripe",
        Shop.subscribe,
        steps.work,
        later=_issued,
        ready=(_canceled_at_stripe,),
        again=steps.message_again,
        soon=_paid_twice,
        ends=_paid_twice,
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
        "charge, done before",
        Shop.subscribe,
        steps.work,
        later=_issued,
        ready=(_to_charge, _done_before),
        again=steps.message_again,
        soon=_paid_twice,
        ends=_paid_twice,
    ),
    Flow(
        "charge, Stripe failing",
        Shop.subscribe,
        _while_stripe_fails,
        later=_issued,
        ready=(_to_charge,),
        again=_when_stripe_works,
        soon=_paid_twice,
        ends=_paid_twice,
    ),
    Flow(
        "invoice paid on its page",
        _declines,
        _pay_the_invoice,
        later=_unpaid,
        ready=(_with_a_new_card,),
        again=_pay_again,
        soon=_paid_twice,
        ends=_paid_twice,
    ),
    Flow(
        "mail",
        Shop.subscribe,
        steps.work,
        ready=(_receipt,),
        again=steps.message_again,
        soon=_got_a_receipt,
        ends=_got_a_receipt,
        whole=True,
    ),
    Flow(
        "mail, sent before",
        Shop.subscribe,
        steps.work,
        ready=(_receipt, _done_before),
        again=steps.message_again,
        soon=_got_a_receipt,
        ends=_got_a_receipt,
    ),
    Flow("mail, refused", Shop.subscribe, _refused_by_ses, ready=(_receipt,), again=steps.message_again),
    Flow(
        "mail, SES down",
        Shop.subscribe,
        _while_ses_is_down,
        ready=(_receipt,),
        again=_when_ses_is_up,
        ends=_got_a_receipt,
    ),
    Flow(
        "mail with nothing to say",
        _declines,
        steps.work,
        later=_declined_and_not_told,
        ready=(_paid_before_it_was_told, _needless_mail),
        again=steps.message_again,
        ends=_paid_twice,
    ),
)
