"""What the owner of a subscription is told by mail when it is cancelled and when it ends, and when nothing is said."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from chalicelib.domain.documents.invoices import Collection
from chalicelib.domain.documents.mails import Mail, MailKind, MailState
from chalicelib.domain.errors import StateConflict
from chalicelib.handlers.mail_composer import compose
from chalicelib.services.ports import OutgoingMail, Update
from chalicelib.services.saving import commit
from chalicelib.services.subscriptions import cancel
from tests.doors.test_invoices_of_subscriptions import billed
from tests.doors.visitors import BASE, Visitors
from tests.services.shop import Shop


def told(shop: Shop) -> list[Mail]:
    kinds = (MailKind.SUBSCRIPTION_CANCELED, MailKind.SUBSCRIPTION_ENDED)
    return [mail for mail in shop.store.all(Mail) if mail.kind in kinds]


def composed(shop: Shop, mail: Mail) -> OutgoingMail:
    written = compose(shop.ports, mail)
    assert written is not None
    return replace(written, text=written.text.replace("\u00a0", " "))


def test_who_cancels_at_the_end_of_the_period_is_told_until_when_it_is_theirs(visitors: Visitors) -> None:
    shop = visitors.shop
    made, _ = billed(shop, Collection.SEND)
    cancel(shop.ports, shop.merchant.id, made.id, at="period_end", actor="buyer")
    [mail] = told(shop)
    assert (mail.kind, mail.to, mail.about_id) == (MailKind.SUBSCRIPTION_CANCELED, "ada@example.com", made.id)
    written = composed(shop, mail)
    assert (written.to, written.subject) == ("ada@example.com", "Your Membership is cancelled")
    assert "It stays yours until 28 February 2027." in written.text
    assert f"{BASE}/portal/pinewood/subscriptions/{made.id}" in written.text
    # Once more is no news, to us and to them.
    cancel(shop.ports, shop.merchant.id, made.id, at="period_end", actor="buyer")
    assert told(shop) == [mail]


def test_who_is_cancelled_now_is_told_so_once(visitors: Visitors) -> None:
    shop = visitors.shop
    made, _ = billed(shop, Collection.SEND)
    cancel(shop.ports, shop.merchant.id, made.id, at="now", actor="api:key")
    [mail] = told(shop)
    written = composed(shop, mail)
    assert "Your Membership is cancelled. There are no more charges." in written.text
    assert "It stays yours" not in written.text
    with pytest.raises(StateConflict):
        cancel(shop.ports, shop.merchant.id, made.id, at="now", actor="api:key")
    assert told(shop) == [mail]
    shop.settle()
    assert [each.state for each in told(shop)] == [MailState.SENT]
    assert [sent.key for sent in shop.mailer.sent].count(mail.id) == 1


def test_a_cancellation_that_was_taken_back_before_its_mail_went_out_is_not_told(visitors: Visitors) -> None:
    shop = visitors.shop
    made, _ = billed(shop, Collection.SEND)
    after = cancel(shop.ports, shop.merchant.id, made.id, at="period_end", actor="buyer")
    [mail] = told(shop)
    commit(shop.ports, [Update(replace(after, cancel_at_period_end=False))])
    assert compose(shop.ports, mail) is None


def test_its_end_is_told_when_it_comes(visitors: Visitors) -> None:
    shop = visitors.shop
    made, _ = billed(shop, Collection.SEND)
    cancel(shop.ports, shop.merchant.id, made.id, at="period_end", actor="buyer")
    shop.settle()
    shop.until(datetime(2027, 2, 28, 20, 30, tzinfo=UTC))
    [canceled, ended] = sorted(told(shop), key=lambda mail: mail.created_at)
    assert (canceled.kind, ended.kind) == (MailKind.SUBSCRIPTION_CANCELED, MailKind.SUBSCRIPTION_ENDED)
    written = composed(shop, ended)
    assert (written.to, written.subject) == ("ada@example.com", "Your Membership has ended")
    assert "Ended 28 February 2027" in written.text
