"""Buyers who press at once: one charge a checkout, one number a booking, and everybody told the truth."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from functools import partial

from chalicelib.domain.documents.checkouts import CHECKOUT_LIFE, Checkout
from chalicelib.domain.documents.customers import Customer
from chalicelib.domain.documents.invoices import Invoice
from chalicelib.domain.documents.lines import LineItem
from chalicelib.domain.documents.links import LinkUses, PaymentLink, link_uses_id
from chalicelib.domain.money.amounts import Money
from chalicelib.services.checkouts.expiry import expire_checkout
from chalicelib.services.checkouts.outcomes import resolve
from chalicelib.services.checkouts.submit import Ending, Submitted
from chalicelib.services.links import LinkChanges, update_link
from chalicelib.services.ports import ProviderUnavailable
from tests.races.arena import Arena, each_thread
from tests.races.at_once import THREADS, at_once, told


def test_sixteen_presses_of_one_checkout_charge_once_and_the_others_are_told_to_wait_or_that_it_is_paid(
    arena: Arena,
) -> None:
    form = arena.form(arena.one_time)
    forms = [replace(form, confirmation_token=arena.token()) for _ in range(THREADS)]
    endings = Counter(said.ending for said in at_once(each_thread(lambda n: arena.press(n, forms[n]))))
    assert endings[Ending.PAID] >= 1
    assert endings[Ending.PAID] + endings[Ending.CHECKING] == THREADS
    assert len(arena.charged()) == len(arena.all(Invoice)) == 1
    assert arena.press(0, form).ending is Ending.PAID


def test_two_buyers_on_one_checkout_with_two_cards_pay_it_once(arena: Arena) -> None:
    for _ in range(4):
        anna = arena.form(arena.one_time)
        ben = replace(anna, email="ben@example.com", name="Ben", confirmation_token=arena.token())
        said = at_once([partial(arena.press, 0, anna), partial(arena.press, 1, ben)])
        assert {each.ending for each in said} <= {Ending.PAID, Ending.CHECKING}
        assert arena.ports.records.get(Checkout, anna.checkout_id).status == "completed"
    assert len(arena.charged()) == 4


def test_a_declined_card_and_a_good_one_at_once_leave_one_charge_at_most_and_the_good_one_pays_in_the_end(
    arena: Arena,
) -> None:
    for _ in range(4):
        good = arena.form(arena.one_time)
        bad = replace(good, confirmation_token=arena.token("pm_card_chargeDeclined"))
        at_once([partial(arena.press, 0, good), partial(arena.press, 1, bad)])
        again = replace(good, confirmation_token=arena.token())
        assert arena.press(2, again).ending is Ending.PAID
    assert len(arena.charged()) == len(arena.all(Invoice)) == 4


def test_sixteen_buyers_on_one_link_are_sixteen_invoices_and_those_of_one_address_one_customer(arena: Arena) -> None:
    forms = [arena.form(arena.monthly, email=f"buyer{min(n, 8)}@example.com") for n in range(THREADS)]
    said = at_once(each_thread(lambda n: arena.press(n, forms[n])))
    assert [each.ending for each in said] == [Ending.PAID] * THREADS
    assert len(arena.charged()) == len(arena.all(Invoice)) == THREADS
    assert arena.ports.records.get(LinkUses, link_uses_id(arena.monthly.id)).completed == THREADS
    assert Counter(Counter(invoice.customer_id for invoice in arena.all(Invoice)).values()) == {1: 8, 8: 1}
    told_of = arena.event_types()
    assert (told_of["customer.created"], told_of["subscription.created"]) == (9, THREADS)
    assert len(arena.all(Customer)) == 9


def test_return_pages_webhooks_and_presses_that_all_know_of_one_payment_book_it_once(arena: Arena) -> None:
    form = arena.form(arena.one_time, "pm_card_authenticationRequired")
    assert arena.press(0, form).ending is Ending.REQUIRES_ACTION
    checkout = arena.ports.records.get(Checkout, form.checkout_id)
    arena.answer_challenge(checkout.part.intent_id or "")
    [paid] = arena.notices("payment_intent.succeeded")

    def report(number: int) -> object:
        if number % 4 == 0:
            return arena.press(number, form).ending
        if number % 4 == 1:
            return arena.tell(number, replace(paid, event_id=f"evt_{number % 8}"))
        return resolve(arena.at(number), arena.merchant, checkout, actor="buyer").status

    said = at_once(each_thread(report))
    assert set(said[0::4]) <= {Ending.PAID, Ending.CHECKING}
    assert set(said[2::4]) == set(said[3::4]) == {"completed"}
    assert len(arena.all(Invoice)) == len(arena.charged()) == 1
    assert arena.event_types()["payment.succeeded"] == 1


def test_an_expiry_and_a_press_at_once_either_sell_it_or_charge_nothing(arena: Arena) -> None:
    sold = 0
    for turn in range(6):
        form = arena.form(arena.one_time, "pm_card_chargeDeclined")
        assert arena.press(0, form).ending is Ending.DECLINED
        again = replace(form, confirmation_token=arena.token())
        expire = partial(expire_checkout, arena.at(1), form.checkout_id, actor="scheduler")
        before = len(arena.charged())
        if turn % 2:
            arena.clock.advance(CHECKOUT_LIFE - timedelta(hours=23, minutes=59))
        at_once([partial(arena.press, 0, again), told(ProviderUnavailable, expire)])  # type: ignore[list-item]
        checkout = arena.ports.records.get(Checkout, form.checkout_id)
        charged = len(arena.charged()) - before
        if checkout.status != "open":
            assert charged == (checkout.status == "completed")
        sold += charged
        # Whoever was told to wait or to try again finds out how it ended.
        after = arena.press(2, replace(again, confirmation_token=arena.token())).ending
        expired = expire_checkout(arena.at(3), form.checkout_id, actor="scheduler")
        assert expired is not None
        assert (expired.status, after) in {("completed", Ending.PAID), ("expired", Ending.TIMED_OUT)}
    assert len(arena.all(Invoice)) == len(arena.charged())
    assert sold <= len(arena.charged())


def test_a_link_edited_while_it_is_pressed_sells_the_old_order_at_the_old_price_or_nothing(arena: Arena) -> None:
    for turn in range(3):
        link = arena.ports.records.get(PaymentLink, arena.one_time.id)
        old = link.lines[0].unit_amount.minor
        forms = [arena.form(link, email=f"b{turn}-{n}@example.com") for n in range(6)]
        dearer: LinkChanges = {"lines": (LineItem("Product photography", 1, Money(old + 100, "usd")),)}
        edit = partial(update_link, arena.at(0), arena.merchant.id, link.id, dearer, actor="test")
        presses = [partial(arena.press, n, form) for n, form in enumerate(forms)]
        said: list[object] = at_once([*presses, edit])
        endings = [each.ending for each in said if isinstance(each, Submitted)]
        assert set(endings) <= {Ending.PAID, Ending.CHANGED}
        sold = [checkout.status for checkout in arena.all(Checkout) if checkout.totals.total.minor == old]
        assert sold == ["completed"] * endings.count(Ending.PAID)
    assert sum(charge["amount"] for charge in arena.charged()) == sum(
        invoice.totals.total.minor for invoice in arena.all(Invoice)
    )
