"""The mail outbox: a row and a timer in the transaction that wants the mail, and the worker that sends it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from chalicelib.domain.documents.customers import Customer
from chalicelib.domain.documents.mails import Mail, MailKind, MailState
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.documents.timers import Timer, TimerKind
from chalicelib.domain.ids import derived_id
from chalicelib.services.ports import (
    DropTimer,
    Insert,
    Mailer,
    MailRefused,
    MailUnavailable,
    Message,
    OutgoingMail,
    Ports,
    QueueName,
    QueueUnavailable,
    SetTimer,
    Update,
    Write,
    WriteConflict,
)
from chalicelib.services.saving import commit, written

SENDING_LASTS: Final = timedelta(minutes=10)
"""A row that has been `sending` for longer belongs to a run that died; sending it again is the lesser harm."""

Compose = Callable[[Ports, Mail], OutgoingMail | None]
"""Writes the mail a row asks for, from the records as they are now; None when there is nothing to say any more.

Raises MailUnavailable when it cannot be said yet, since an outcome is not known."""


def new_mail(kind: MailKind, merchant_id: str, to: str, about_id: str, *, what: str, now: datetime) -> Mail:
    """A mail to be sent now. Its id follows from `what` it tells and when, so the same news makes the same row."""
    return Mail(
        id=derived_id("mail", now, what),
        merchant_id=merchant_id,
        kind=kind,
        to=to,
        about_id=about_id,
        due=now,
        created_at=now,
    )


def mails_about(subscription: Subscription, customer: Customer | None, kind: MailKind, now: datetime) -> list[Mail]:
    """The mail that tells a change of a subscription, which is written with it: `subscription` is the record as it is
    about to be put, so the version that the change is conditional on guards the mail too. None where nobody is known
    who could be told: that keeps no change from being made.
    """
    if customer is None:
        return []
    what = f"{kind}#{subscription.id}#{subscription.version}"
    return [new_mail(kind, subscription.merchant_id, customer.email, subscription.id, what=what, now=now)]


def mail_timer(mail: Mail) -> Timer:
    """Where a mail's timer stands."""
    return Timer(TimerKind.SEND_MAIL, mail.id, mail.merchant_id, mail.due)


def posted(*mails: Mail) -> list[Write]:
    """The row and the timer of each mail, for the transaction that makes true what it tells."""
    return [write for mail in mails for write in (Insert(mail), SetTimer(mail_timer(mail)))]


def timer_message(timer: Timer) -> dict[str, str]:
    """How a timer travels through a queue; `timer_of` is the other way."""
    message = {
        "kind": str(timer.kind),
        "record_id": timer.record_id,
        "merchant_id": timer.merchant_id,
        "due": timer.due.isoformat(),
    }
    if timer.subscription_id is not None:
        message["subscription_id"] = timer.subscription_id
    if timer.customer_id is not None:
        message["customer_id"] = timer.customer_id
    return message


def timer_of(message: Mapping[str, Any]) -> Timer:
    """The timer that travelled in a message. Raises KeyError and ValueError for what is none."""
    return Timer(
        TimerKind(message["kind"]),
        message["record_id"],
        message["merchant_id"],
        datetime.fromisoformat(message["due"]),
        subscription_id=message.get("subscription_id"),
        customer_id=message.get("customer_id"),
    )


def queue_mail(ports: Ports, timer: Timer) -> None:
    """Hurry a mail along. Its timer stands, so where the queue cannot be reached the next sweep sends it."""
    try:
        ports.queues.send(QueueName.WORK, [Message(timer_message(timer))])
    except QueueUnavailable:
        return


def send_mail(ports: Ports, mailer: Mailer, compose: Compose, mail_id: str) -> str:
    """Send one row's mail once; says what became of it.

    A row is `sending` before SES is asked, so two workers do not both ask. Raises MailUnavailable when SES did not
    take it: the row stays, and the queue or the timer comes again.
    """
    now = ports.clock.now()
    mail = ports.records.find(Mail, mail_id)
    if mail is None:
        return "gone"
    timer = mail_timer(mail)
    if mail.state in (MailState.SENT, MailState.REFUSED):
        ports.timers.drop(timer)
        return str(mail.state)
    if mail.state is MailState.SENDING and mail.sending_at is not None and now - mail.sending_at < SENDING_LASTS:
        return "being sent"
    claimed = replace(mail, state=MailState.SENDING, sending_at=now, tries=mail.tries + 1)
    try:
        commit(ports, [Update(claimed)])
    except WriteConflict:
        return "taken by another"
    claimed = written(claimed)
    try:
        outgoing = compose(ports, claimed)
        if outgoing is None:
            commit(ports, [Update(replace(claimed, state=MailState.REFUSED)), DropTimer(timer)])
            return "nothing to say"
        provider_id = mailer.send(outgoing)
    except MailRefused:
        commit(ports, [Update(replace(claimed, state=MailState.REFUSED)), DropTimer(timer)])
        return "refused"
    except MailUnavailable:
        commit(ports, [Update(replace(claimed, state=MailState.QUEUED))])
        raise
    sent = replace(claimed, state=MailState.SENT, provider_id=provider_id)
    commit(ports, [Update(sent), DropTimer(timer)])
    return "sent"
