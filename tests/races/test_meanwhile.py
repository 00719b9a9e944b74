"""One thing exactly in the middle of another: orders of events that threads meet too seldom to rely on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib.domain.documents.intake import StripeEvent
from chalicelib.domain.documents.invoices import Invoice
from chalicelib.domain.documents.mails import Mail, MailKind
from chalicelib.domain.documents.merchants import Merchant
from chalicelib.services.billing.charging import charge_invoice, charge_timer
from chalicelib.services.checkouts.submit import Ending
from chalicelib.services.invoices.paying import PayInvoice, pay_invoice, resolve_invoice
from tests.fakes.ports import FakePorts
from tests.services.shop import Shop

DUE = datetime(2027, 2, 28, 20, 30, tzinfo=UTC)


@pytest.fixture
def shop() -> Shop:
    return Shop()


@contextmanager
def meanwhile(shop: Shop, call: str, happens: Callable[[], object]) -> Iterator[FakePorts]:
    """Ports on which something happens once, right before a call to Stripe."""
    left = [happens]

    class Interrupted:
        def __getattr__(self, name: str) -> Any:
            found = getattr(shop.stripe, name)

            def interrupted(*args: Any, **options: Any) -> Any:
                left.pop()()
                return found(*args, **options)

            return interrupted if name == call and left else found

    yield replace(shop.ports, stripe=Interrupted())
    assert left == []


def renewal(shop: Shop) -> Invoice:
    """An invoice that waits for its first charge."""
    shop.subscribe()
    shop.settle()
    shop.clock.set(DUE)
    shop.run()
    return shop.invoices()[1]


def pay_form(shop: Shop, invoice: Invoice, behaves: str) -> PayInvoice:
    return PayInvoice(
        merchant_slug="pinewood",
        invoice_id=invoice.id,
        invoice_secret=invoice.secret,
        expected_total=4_900,
        confirmation_token=shop.token(behaves),
        return_url="https://till.example/return",
        consent_words=lambda view, now: "agreed again",
        as_shown=lambda view, now: True,
        address=None,
    )


def told_of_a_decline(shop: Shop, invoice: Invoice) -> None:
    intent = next(each for each in shop.stripe.intents() if each.id == invoice.part.intent_id)
    shop.tell(shop.notice("payment_intent.payment_failed", intent))


def looked_at_by_its_buyer(shop: Shop, invoice: Invoice) -> None:
    resolve_invoice(shop.ports, shop.store.get(Merchant, shop.merchant.id), invoice, actor="buyer")


@pytest.mark.parametrize("happens", [told_of_a_decline, looked_at_by_its_buyer])
def test_the_decline_of_a_buyers_try_does_not_end_the_schedulers_try_that_is_under_way(
    shop: Shop, happens: Callable[[Shop, Invoice], None]
) -> None:
    invoice = renewal(shop)
    timer = charge_timer(invoice)
    assert timer is not None
    declined = pay_form(shop, invoice, "pm_card_chargeDeclined")
    assert pay_invoice(shop.ports, declined).ending is Ending.DECLINED

    def in_the_middle() -> None:
        happens(shop, shop.store.get(Invoice, invoice.id))

    with meanwhile(shop, "confirm_off_session", in_the_middle) as ports:
        assert charge_invoice(ports, timer) == "paid"
    paid = shop.store.get(Invoice, invoice.id)
    assert [(each.number, each.outcome) for each in paid.part.attempts] == [(1, "declined"), (2, "succeeded")]
    assert [mail for mail in shop.store.all(Mail) if mail.kind is MailKind.RETRYING] == []
    assert "subscription.past_due" not in shop.event_types()
    assert "invoice.payment_failed" not in shop.event_types()


def test_a_decline_that_was_told_too_early_to_be_believed_is_found_out_by_the_next_run(shop: Shop) -> None:
    invoice = renewal(shop)
    timer = charge_timer(invoice)
    assert timer is not None
    subscription = shop.subscription(invoice.subscription_id or "")
    assert subscription.method is not None
    shop.stripe.behave(subscription.method.payment_method_id, "pm_card_chargeCustomerFail")
    shop.stripe.fail("confirm_off_session", effect=True)
    said = shop.run()
    assert [each for each in said if each.startswith("not done")] != []
    told_of_a_decline(shop, shop.store.get(Invoice, invoice.id))
    assert [row.state for row in shop.store.all(StripeEvent)] == ["done"]
    shop.settle()
    failed = shop.store.get(Invoice, invoice.id)
    assert [(each.number, each.outcome) for each in failed.part.attempts] == [(1, "declined")]
    assert failed.charge_at == timer.due + timedelta(days=1)
    assert shop.event_types().count("invoice.payment_failed") == 1


def test_a_slow_workers_decline_does_not_end_the_try_that_its_buyer_has_begun_since(shop: Shop) -> None:
    invoice = renewal(shop)
    timer = charge_timer(invoice)
    assert timer is not None
    subscription = shop.subscription(invoice.subscription_id or "")
    assert subscription.method is not None
    shop.stripe.behave(subscription.method.payment_method_id, "pm_card_chargeCustomerFail")

    def another_worker_and_then_the_buyer() -> None:
        assert charge_invoice(shop.ports, timer) == "declined"
        shop.stripe.fail("confirm_with_token", effect=False)
        assert pay_invoice(shop.ports, pay_form(shop, invoice, "pm_card_visa")).ending is Ending.CHECKING

    with meanwhile(shop, "confirm_off_session", another_worker_and_then_the_buyer) as ports:
        charge_invoice(ports, timer)
    after = shop.store.get(Invoice, invoice.id)
    assert [(each.number, each.outcome) for each in after.part.attempts] == [(1, "declined"), (2, "claimed")]
    assert [mail.kind for mail in shop.store.all(Mail)].count(MailKind.RETRYING) == 1
