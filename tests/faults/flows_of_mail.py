"""What becomes of a mail: sent, sent before, refused, put off, or no longer wanted."""

from __future__ import annotations

from chalicelib.domain.documents.mails import MailKind
from chalicelib.domain.documents.timers import TimerKind
from chalicelib.services.ports import QueueName
from tests.faults import steps
from tests.faults.flows_of_clock import declines, issued, paid_twice, pay_the_invoice, with_a_new_card
from tests.faults.matrix import Flow
from tests.faults.shop import Case, Shop


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
    issued(shop)
    shop.sweep()
    for queue in QueueName:
        for message in shop.world.queues.take(queue):
            if queue is QueueName.CHARGES:
                shop.work_on(queue, message)
    shop.world.queues.take(QueueName.WORK)


def _paid_before_it_was_told(shop: Shop, case: Case) -> None:
    with_a_new_card(shop, case)
    pay_the_invoice(shop, case)


def _needless_mail(shop: Shop, case: Case) -> None:
    case.message = shop.message_about(TimerKind.SEND_MAIL, shop.mail_about(case.invoice_id, MailKind.RETRYING).id)


def _receipt(shop: Shop, case: Case) -> None:
    mail = shop.mail_about(shop.checkout(case).invoice_id, MailKind.RECEIPT)
    case.message = shop.message_about(TimerKind.SEND_MAIL, mail.id)


def _got_a_receipt(shop: Shop, case: Case) -> None:
    assert case.form is not None
    assert [mail for mail in shop.world.mailer.sent if mail.to == case.form.email]


FLOWS = (
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
        ready=(_receipt, steps.done_before),
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
        declines,
        steps.work,
        later=_declined_and_not_told,
        ready=(_paid_before_it_was_told, _needless_mail),
        again=steps.message_again,
        ends=paid_twice,
    ),
)
