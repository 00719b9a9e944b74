"""Mails about a subscription, written in the transaction that changes it: told exactly when it happened, and once."""

from __future__ import annotations

from datetime import datetime

from chalicelib.domain.documents.customers import Customer
from chalicelib.domain.documents.mails import Mail, MailKind
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.documents.timers import Timer, TimerKind
from chalicelib.domain.ids import derived_id
from chalicelib.services.ports import Insert, SetTimer, Write


def mail_about(subscription: Subscription, customer: Customer, kind: MailKind, now: datetime) -> Mail:
    """The mail that tells a change of a subscription, which is written with it: `subscription` is the record as it is
    about to be put, so the version that the change is conditional on guards the mail too."""
    return Mail(
        id=derived_id("mail", now, f"{kind}#{subscription.id}#{subscription.version}"),
        merchant_id=subscription.merchant_id,
        kind=kind,
        to=customer.email,
        about_id=subscription.id,
        due=now,
        created_at=now,
    )


def mail_timer(mail: Mail) -> Timer:
    """Where a mail's timer stands."""
    return Timer(TimerKind.SEND_MAIL, mail.id, mail.merchant_id, mail.due)


def told(mail: Mail) -> list[Write]:
    """The row and the timer of a mail."""
    return [Insert(mail), SetTimer(mail_timer(mail))]
