"""Two who want opposite things of one subscription or one invoice: either may win, never both."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import partial

from chalicelib.domain.documents.invoices import Invoice
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.errors import StateConflict
from chalicelib.services.checkouts.submit import Ending, Submitted
from chalicelib.services.invoices.paying import PayInvoice, pay_invoice
from chalicelib.services.ports import ProviderBusy
from chalicelib.services.subscriptions import cancel
from tests.races.arena import RENEWS, Arena, each_thread
from tests.races.at_once import at_once, told


def paying(arena: Arena, invoice: Invoice, behaves: str = "pm_card_visa") -> PayInvoice:
    """What an invoice's page sends."""
    return PayInvoice(
        merchant_slug="pinewood",
        invoice_id=invoice.id,
        invoice_secret=invoice.secret,
        expected_total=4_900,
        confirmation_token=arena.token(behaves),
        return_url="https://till.example/return/x",
        consent_words=lambda view, now: "agreed again",
        as_shown=lambda view, now: True,
        address="203.0.113.9",
    )


def test_cancelling_and_billing_at_once_issue_the_period_or_not_and_never_half_of_it(arena: Arena) -> None:
    subscriptions = arena.subscribe(8)
    arena.clock.set(RENEWS)

    def end(subscription: Subscription, number: int) -> Subscription | Exception:
        return told(
            StateConflict,
            lambda: cancel(
                arena.at(number), arena.merchant.id, subscription.id, at="now", actor="buyer", reason="moved away"
            ),
        )()

    def work(number: int) -> object:
        subscription = subscriptions[number // 2]
        return arena.issue(number, subscription) if number % 2 else end(subscription, number)

    said = at_once(each_thread(work))
    issued = Counter(each.subscription_id for each in arena.all(Invoice) if each.subscription_id is not None)
    for place, subscription in enumerate(subscriptions):
        after = arena.ports.records.get(Subscription, subscription.id)
        assert (after.status, after.timer_at) == ("canceled", None)
        assert issued[subscription.id] == said[2 * place + 1]
        assert after.next_index == 1 + issued[subscription.id]
    assert [timer for timer in arena.timers() if timer.record_id.startswith("sub_")] == []
    assert arena.event_types()["subscription.canceled"] == 8


def test_a_buyer_on_the_invoices_page_and_the_scheduler_charge_it_once_between_them(arena: Arena) -> None:
    for invoice, timer in arena.renewals(*arena.subscribe(3)):
        forms = [paying(arena, invoice) for _ in range(8)]
        buyers = [partial(pay_invoice, arena.at(number), form) for number, form in enumerate(forms)]
        workers = [told(ProviderBusy, partial(arena.charge, number, timer)) for number in range(8)]
        said: list[object] = at_once([*buyers, *workers])
        assert {each.ending for each in said if isinstance(each, Submitted)} <= {Ending.PAID, Ending.CHECKING}
        # Whoever claimed the try has finished it.
        assert arena.ports.records.get(Invoice, invoice.id).status == "paid"
        assert pay_invoice(arena.at(0), replace(forms[0], confirmation_token=arena.token())).ending is Ending.PAID
    assert [invoice.status for invoice in arena.all(Invoice)] == ["paid"] * 4
    assert len(arena.charged()) == 4


def test_a_buyer_whose_card_is_declined_and_a_scheduler_whose_card_is_good_charge_once(arena: Arena) -> None:
    for invoice, timer in arena.renewals(*arena.subscribe(3)):
        bad = paying(arena, invoice, "pm_card_chargeDeclined")
        scheduler = told(ProviderBusy, partial(arena.charge, 1, timer))
        at_once([partial(pay_invoice, arena.at(0), bad), scheduler])  # type: ignore[list-item]  # answers of two kinds
        arena.charge(0, timer)
        assert arena.ports.records.get(Invoice, invoice.id).status == "paid"
    assert len(arena.charged()) == 4
    assert arena.event_types()["subscription.past_due"] == 0
