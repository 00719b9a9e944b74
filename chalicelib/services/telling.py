"""Mails about a subscription, written in the transaction that changes it: told exactly when it happened, and once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from chalicelib.domain.documents.customers import Customer
from chalicelib.domain.documents.mails import Mail, MailKind
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.documents.timers import Timer, TimerKind
from chalicelib.domain.ids import derived_id
from chalicelib.services.ports import Insert, SetTimer, Write


def mails_about(subscription: Subscription, customer: Customer | None, kind: MailKind, now: datetime) -> list[Mail]:
    """The mail that tells a change of a subscription, which is written with it: `subscription` is the record as it is
    about to be put, so the version that the change is conditional on guards the mail too. None where nobody is known
    who could be told: that keeps no change from being made.
    """
    if customer is None:
        return []
    mail = Mail(
        id=derived_id("mail", now, f"{kind}#{subscription.id}#{subscription.version}"),
        merchant_id=subscription.merchant_id,
        kind=kind,
        to=customer.email,
        about_id=subscription.id,
        due=now,
        created_at=now,
    )
    return [mail]


def mail_timer(mail: Mail) -> Timer:
    """Where a mail's timer stands."""
    return Timer(TimerKind.SEND_MAIL, mail.id, mail.merchant_id, mail.due)


def told(mails: Sequence[Mail]) -> list[Write]:
    """The row and the timer of each mail."""
    return [write for mail in mails for write in (Insert(mail), SetTimer(mail_timer(mail)))]
