"""Shops in states that tests break by hand, and what the checker then says."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from chalicelib.domain.documents.checkouts import Checkout
from chalicelib.domain.documents.invoices import Invoice
from chalicelib.services.billing.issuing import billing_timer, issue_due
from chalicelib.services.checkouts.submit import Ending
from chalicelib.services.ports import ProviderUnavailable
from tests.services.shop import Shop


def at(month: int, day: int, hour: int = 20, minute: int = 30) -> datetime:
    """A time in 2027, UTC."""
    return datetime(2027, month, day, hour, minute, tzinfo=UTC)


def wrong(shop: Shop) -> set[tuple[str, str]]:
    """Which invariants do not hold, and of which records."""
    return {(violation.invariant, violation.record_id) for violation in shop.check().violations}


def messages(shop: Shop) -> list[str]:
    """What is wrong, in words."""
    return [violation.message for violation in shop.check().violations]


def undone(shop: Shop) -> set[tuple[str, str]]:
    """What is not done, and is known to be."""
    return {(each.record_id, each.message) for each in shop.check().undone}


def paid(shop: Shop) -> Invoice:
    """A link's invoice that was paid and whose receipt was sent."""
    assert shop.press(shop.buyer(shop.one_time)).ending is Ending.PAID
    shop.settle()
    return shop.invoices()[-1]


def renewed(shop: Shop) -> Invoice:
    """The second invoice of a monthly subscription, paid."""
    shop.subscribe()
    shop.until(at(2, 28))
    return shop.invoices()[-1]


def issued(shop: Shop) -> Invoice:
    """The second invoice of a monthly subscription, issued and not charged yet."""
    subscription = shop.subscribe()
    shop.settle()
    shop.clock.set(at(2, 28))
    timer = billing_timer(subscription)
    assert timer is not None
    assert issue_due(shop.ports, shop.merchant.id, [timer]).invoices == 1
    return shop.invoices()[-1]


def declined(shop: Shop) -> Checkout:
    """An open checkout whose only try was declined."""
    form = shop.buyer(shop.one_time, confirmation_token=shop.token("pm_card_chargeDeclined"))
    assert shop.press(form).ending is Ending.DECLINED
    return shop.store.get(Checkout, form.checkout_id)


def in_doubt(shop: Shop, *, effect: bool = True) -> Checkout:
    """An open checkout whose only try has no known end."""
    shop.stripe.fail("confirm_with_token", ProviderUnavailable("lost"), effect=effect)
    form = shop.buyer(shop.one_time)
    assert shop.press(form).ending is Ending.CHECKING
    return shop.store.get(Checkout, form.checkout_id)


def expired(shop: Shop) -> Checkout:
    """A checkout that was declined once and then left alone for a day."""
    checkout = declined(shop)
    shop.until(checkout.expires_at)
    return shop.store.get(Checkout, checkout.id)


def with_tries(owner: Checkout, **changes: object) -> Checkout:
    """The checkout with its last try changed."""
    *before, last = owner.part.attempts
    return owner.with_part(replace(owner.part, attempts=(*before, replace(last, **changes))))  # type: ignore[arg-type]
