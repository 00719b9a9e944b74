"""What a buyer was shown is what they agree to, and what they are then charged."""

from __future__ import annotations

import html
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from chalicelib.domain.billing.recurrence import Start, StartType
from chalicelib.domain.documents.checkouts import Checkout
from chalicelib.domain.documents.lines import Discount, LineItem
from chalicelib.domain.documents.links import PaymentLink
from chalicelib.domain.errors import InvalidValue
from chalicelib.services.links import LinkChanges, NewLink, create_link, update_link
from tests.doors.visitors import BASE, Visitors, invoice_path, link_path, plain
from tests.services.shop import Shop, monthly_line, usd


def sell(shop: Shop, *lines: LineItem, discount: Discount | None = None) -> PaymentLink:
    return create_link(shop.ports, shop.merchant.id, NewLink("Membership", "usd", lines, discount), actor="test")


def change(shop: Shop, link: PaymentLink, changes: LinkChanges) -> None:
    update_link(shop.ports, shop.merchant.id, link.id, changes, actor="test")


def half(periods: int) -> Discount:
    return Discount(percent=Decimal("50"), duration=periods)


# --- the amounts


def test_a_consent_names_exactly_the_sums_that_are_then_charged(visitors: Visitors) -> None:
    shop = visitors.shop
    link = sell(shop, monthly_line(), discount=half(3))
    page = visitors.get(link_path(link))
    assert "due today. Then $24.50 on 28 February and 31 March 2027, then $49.00 a month from 30 April 2027." in plain(
        page.text
    )
    assert visitors.press(link, page.form_token, expected_total="2450").json["status"] == "paid"
    [checkout] = shop.store.all(Checkout)
    assert checkout.consent is not None
    words = checkout.consent.text.replace("\u00a0", " ")
    assert words == (
        "By paying you agree that Pinewood Studio stores this payment method and charges it $24.50 on 28 February and "
        "31 March 2027, then $49.00 every month, starting 30 April 2027, until you cancel. You can cancel at any time "
        "by the link in each receipt."
    )
    assert words in plain(page.text)
    receipt = visitors.get(f"{BASE}/receipt/pinewood/{page.form_token.split('.')[0]}")
    assert "Next charge$24.50 on 28 February 2027every month, 2 payments" in plain(receipt.text).replace("\n", "")
    shop.until(datetime(2027, 6, 1, tzinfo=UTC))
    assert [(invoice.created_at.date(), invoice.paid) for invoice in shop.invoices()] == [
        (date(2027, 1, 31), usd(2_450)),
        (date(2027, 2, 28), usd(2_450)),
        (date(2027, 3, 31), usd(2_450)),
        (date(2027, 4, 30), usd(4_900)),
        (date(2027, 5, 31), usd(4_900)),
    ]


def test_the_way_to_an_anchor_day_is_named_and_charged_as_named(visitors: Visitors) -> None:
    shop = visitors.shop
    in_a_week = monthly_line(start=Start(StartType.AFTER_DAYS, count=7), anchor_day=14)
    link = sell(shop, LineItem("Setup", 1, usd(1_000)), in_a_week)
    page = visitors.get(link_path(link))
    # 7 of the 31 days from 14 January to 14 February.
    sentence = "Then $11.06 on 7 February 2027, then $49.00 a month from 14 February 2027."
    assert sentence in plain(page.text)
    assert visitors.press(link, page.form_token, expected_total="1000").json["status"] == "paid"
    shop.until(datetime(2027, 3, 15, tzinfo=UTC))
    assert [invoice.paid for invoice in shop.invoices()] == [usd(1_000), usd(1_106), usd(4_900), usd(4_900)]


def test_a_link_whose_first_period_could_be_too_small_is_not_made_and_none_is_changed_to_it(
    visitors: Visitors,
) -> None:
    shop = visitors.shop
    # An anchor day, so that the first period of who buys today is a whole one.
    shop.clock.set(datetime(2027, 2, 1, 15, tzinfo=UTC))
    small = replace(monthly_line(anchor_day=1), unit_amount=usd(500))
    link = sell(shop, monthly_line())
    before = visitors.contents()
    with pytest.raises(InvalidValue) as made:
        sell(shop, small)
    with pytest.raises(InvalidValue) as changed:
        change(shop, link, {"lines": (small,)})
    assert made.value.code == changed.value.code == "below_minimum"
    assert made.value.param == changed.value.param == "lines"
    assert visitors.contents() == before


# --- what changed since the page was shown


@pytest.mark.parametrize(
    "changes",
    [
        {"discount": half(2)},
        {"lines": (monthly_line(), replace(monthly_line(start=Start(StartType.AFTER_DAYS, count=7)), name="More"))},
        {"lines": (monthly_line(number_of_payments=12),)},
        {"lines": (replace(monthly_line(), name="Less"),)},
    ],
)
def test_later_terms_that_changed_since_the_page_are_not_sold(visitors: Visitors, changes: LinkChanges) -> None:
    shop = visitors.shop
    link = sell(shop, monthly_line(), discount=half(3))
    page = visitors.get(link_path(link))
    total = "2450"
    change(shop, link, changes)
    if "lines" in changes and len(changes["lines"]) == 2:
        assert "$24.50" in plain(visitors.get(link_path(link)).text)
    answer = visitors.press(link, page.form_token, expected_total=total)
    assert answer.json == {"status": "changed", "location": f"{BASE}{link_path(link)}?changed=1"}
    assert (shop.store.all(Checkout), shop.stripe.intents()) == ([], [])
    assert visitors.press(link, expected_total=total).json["status"] == "paid"


def test_the_same_page_is_good_until_midnight_and_shows_other_dates_after_it(visitors: Visitors) -> None:
    shop = visitors.shop
    page = visitors.get(link_path(shop.monthly))
    shop.clock.set(datetime(2027, 2, 1, 4, 59, 59, tzinfo=UTC))
    assert visitors.press(shop.monthly, page.form_token, "pm_card_chargeDeclined").json["status"] == "declined"
    other = visitors.get(link_path(shop.monthly))
    shop.clock.set(datetime(2027, 2, 1, 5, 0, tzinfo=UTC))
    answer = visitors.press(shop.monthly, other.form_token)
    assert answer.json["status"] == "changed"
    assert len(shop.store.all(Checkout)) == 1
    assert shop.succeeded() == []
    assert visitors.press(shop.monthly).json["status"] == "paid"


def test_a_token_that_does_not_say_what_was_shown_sells_nothing(visitors: Visitors) -> None:
    link = visitors.shop.monthly
    subject, stamp, shown, signature = visitors.get(link_path(link)).form_token.split(".")
    before = visitors.contents()
    for token in (f"{subject}.{stamp}.{signature}", f"{subject}.{stamp}.{'0' * len(shown)}.{signature}"):
        assert visitors.press(link, token).json["location"] == f"{BASE}{link_path(link)}?timed_out=1"
    assert visitors.contents() == before


def test_an_invoice_is_not_paid_by_a_page_that_showed_another_next_charge(visitors: Visitors) -> None:
    shop = visitors.shop
    [owed] = visitors.overdue_invoices(1)
    path = invoice_path(owed, more="/pay")
    shop.until(datetime(2027, 3, 31, 12, tzinfo=UTC))
    page = visitors.get(path)
    fields = {
        "form_token": page.form_token,
        "expected_total": "4900",
        "email": "anna@example.com",
        "name": "Anna",
        "confirmation_token": shop.token(),
    }
    assert "starting 31 March 2027" in html.unescape(plain(page.text))
    shop.until(datetime(2027, 3, 31, 21, tzinfo=UTC))
    before = visitors.contents()
    answer = visitors.send("POST", path, fields)
    assert (answer.status, answer.headers["location"]) == (303, f"{BASE}{path}?changed=1")
    assert visitors.contents() == before
    again = visitors.send("POST", path, fields | {"form_token": visitors.get(path).form_token})
    assert again.headers["location"].startswith(f"{BASE}/receipt/")
