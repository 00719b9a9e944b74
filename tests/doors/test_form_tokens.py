"""The signed token in the form, and the cookie that lets a browser's tabs share one checkout."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from chalicelib import wiring
from chalicelib.domain.documents.checkouts import Checkout
from chalicelib.handlers import checkout_tokens
from chalicelib.handlers.checkout_tokens import CheckoutToken, Remembered
from tests.doors.visitors import BASE, SETTINGS, Visitors, cancel_path, invoice_path, link_path, plain

OTHER_ID = "plink_01J00000000000000000000000"


def checkouts(visitors: Visitors) -> list[Checkout]:
    return visitors.shop.store.all(Checkout)


# --- the token


def test_the_checkout_of_the_form_is_paid_whatever_the_cookie_says(visitors: Visitors) -> None:
    link = visitors.shop.one_time
    mine, another = visitors.get(link_path(link)), visitors.get(link_path(link))
    assert visitors.press(link, mine.form_token, headers={"Cookie": another.cookie}).json["status"] == "paid"
    [paid] = checkouts(visitors)
    assert mine.form_token.startswith(paid.id.removeprefix("chk_") + paid.secret)


def test_a_forged_token_pays_nothing_and_leads_to_a_fresh_form(visitors: Visitors) -> None:
    link = visitors.shop.one_time
    genuine = visitors.get(link_path(link)).form_token
    subject, stamp, shown, signature = genuine.split(".")
    other = checkout_tokens.mint(visitors.shop.ids, visitors.shop.clock.now()).text
    forged = [
        "",
        "x",
        "..",
        f"{other}.{stamp}.{shown}.{signature}",
        f"{subject}.{int(stamp) + 1}.{shown}.{signature}",
        f"{subject}.{stamp}.{shown}.{signature[:-1]}0",
        f"{subject}.{stamp}.{shown}.",
        f"{subject}.{stamp}.{shown}.é",
        f"{subject}.{'9' * 5000}.{shown}.{signature}",
        f"{subject}.-1.{shown}.{signature}",
    ]
    before = visitors.contents()
    for token in forged:
        answer = visitors.press(link, token)
        assert answer.status == 200, token
        assert answer.json == {"status": "changed", "location": f"{BASE}{link_path(link)}?timed_out=1"}, token
    assert visitors.contents() == before


def test_a_token_is_good_for_its_own_link_and_its_own_form_alone(visitors: Visitors) -> None:
    shop = visitors.shop
    subscription = shop.subscribe()
    elsewhere = visitors.get(link_path(shop.monthly)).form_token
    cancelling = visitors.get(cancel_path(subscription)).form_token
    before = visitors.contents()
    for token in (elsewhere, cancelling):
        assert visitors.press(shop.one_time, token).json["status"] == "changed"
    answer = visitors.send("POST", cancel_path(subscription), {"form_token": elsewhere})
    assert answer.status == 303
    assert visitors.contents() == before


def test_an_invoices_token_pays_no_other_invoice(visitors: Visitors) -> None:
    shop = visitors.shop
    owed, other = visitors.overdue_invoices(2)
    page = visitors.get(invoice_path(owed, more="/pay"))
    fields = {
        "form_token": page.form_token,
        "expected_total": "4900",
        "email": "anna@example.com",
        "name": "Anna",
        "confirmation_token": shop.token(),
    }
    before = visitors.contents()
    wrong = visitors.send("POST", invoice_path(other, more="/pay"), fields)
    assert (wrong.status, wrong.headers["location"]) == (303, f"{BASE}{invoice_path(other, more='/pay')}?timed_out=1")
    assert visitors.contents() == before
    right = visitors.send("POST", invoice_path(owed, more="/pay"), fields)
    assert right.headers["location"].startswith(f"{BASE}/receipt/")


@pytest.mark.parametrize(("minutes", "taken"), [(24 * 60, True), (24 * 60 + 1, False)])
def test_a_token_lasts_a_day(visitors: Visitors, minutes: int, taken: bool) -> None:
    link = visitors.shop.one_time
    token = visitors.get(link_path(link)).form_token
    visitors.shop.after(minutes=minutes)
    answer = visitors.press(link, token)
    assert answer.json["status"] == ("paid" if taken else "changed")
    assert len(checkouts(visitors)) == taken
    if not taken:
        page = visitors.get(answer.json["location"])
        assert "This checkout has timed out." in page.text
        assert "You have not been charged." in page.text


def test_a_token_of_the_future_is_none_of_ours(visitors: Visitors) -> None:
    shop, link = visitors.shop, visitors.shop.one_time
    now = shop.clock.now()
    mine = checkout_tokens.mint(shop.ids, now)
    shown = visitors.get(link_path(link)).form_token.split(".")[2]
    purpose = f"checkout:{link.id}"
    ahead = checkout_tokens.sign(SETTINGS.form_secret, purpose, mine.text, now + timedelta(seconds=1), shown)
    assert visitors.press(link, ahead).json["status"] == "changed"
    assert checkouts(visitors) == []
    assert visitors.press(link, checkout_tokens.sign(SETTINGS.form_secret, purpose, mine.text, now, shown)).json == {
        "status": "paid",
        "location": f"{BASE}/receipt/pinewood/{mine.text}",
    }


def test_a_token_signed_with_another_secret_is_none_of_ours(visitors: Visitors) -> None:
    now = visitors.shop.clock.now()
    token = checkout_tokens.sign("another secret of more than 32 characters", "checkout", "x", now)
    assert checkout_tokens.read("another secret of more than 32 characters", "checkout", token, now) == "x"
    assert checkout_tokens.read(SETTINGS.form_secret, "checkout", token, now) is None


# --- the cookie


def test_the_cookie_is_of_one_link_out_of_scripts_reach_and_gone_after_a_day(visitors: Visitors) -> None:
    link = visitors.shop.one_time
    page = visitors.get(link_path(link))
    name, _, rest = page.headers["set-cookie"].partition("=")
    value, *attributes = rest.split("; ")
    assert name == f"till_{link.id.removeprefix('plink_')}"
    assert attributes == [f"Path={link_path(link)}", "Max-Age=86400", "HttpOnly", "SameSite=Lax", "Secure"]
    assert page.form_token.startswith(f"{value}.")
    assert checkouts(visitors) == []


def test_over_plain_http_on_one_machine_the_cookie_cannot_be_secure(visitors: Visitors) -> None:
    wiring.configure(replace(SETTINGS, public_base_url="http://127.0.0.1:8000"), visitors.shop.clock)
    wiring.replace_ports(visitors.shop.ports)
    cookie = visitors.get(link_path(visitors.shop.one_time)).headers["set-cookie"]
    assert cookie.endswith("; HttpOnly; SameSite=Lax")


def test_with_the_cookie_tabs_share_a_checkout_and_without_it_there_are_two(visitors: Visitors) -> None:
    link = visitors.shop.one_time
    first = visitors.get(link_path(link))
    second = visitors.get(link_path(link), Cookie=first.cookie)
    assert second.cookie == first.cookie
    assert second.form_token.split(".")[0] == first.form_token.split(".")[0]
    stranger = visitors.get(link_path(link))
    assert stranger.cookie != first.cookie
    for page, status in ((first, "paid"), (second, "paid"), (stranger, "paid")):
        assert visitors.press(link, page.form_token).json["status"] == status
    assert len(checkouts(visitors)) == 2
    assert len(visitors.shop.succeeded()) == 2


def test_two_links_in_two_tabs_have_two_cookies(visitors: Visitors) -> None:
    shop = visitors.shop
    one, other = visitors.get(link_path(shop.one_time)), visitors.get(link_path(shop.monthly))
    assert one.cookie.partition("=")[0] != other.cookie.partition("=")[0]
    both = visitors.get(link_path(shop.monthly), Cookie=f"{one.cookie}; {other.cookie}")
    assert both.cookie == other.cookie


def test_strange_cookies_of_others_do_not_hide_ours(visitors: Visitors) -> None:
    link = visitors.shop.one_time
    ours = visitors.get(link_path(link)).cookie
    for strange in ("a[b]=1", 'q="; ', "=", "x" * 3000, "é=ü", "no value", "a=b=c"):
        header = f"{strange}; {ours}; z=1"
        assert visitors.send("GET", link_path(link), headers={"Cookie": header}).cookie == ours, strange


@pytest.mark.parametrize("value", ["", "x", "..", "A" * 48, "../../x", "{}", "é"])
def test_a_cookie_that_we_did_not_write_is_no_checkout(visitors: Visitors, value: str) -> None:
    link = visitors.shop.one_time
    name = checkout_tokens.cookie_name(link.id)
    page = visitors.get(link_path(link), Cookie=f"{name}={value}")
    assert page.status == 200
    assert page.cookie != f"{name}={value}"


def test_another_buyers_checkout_is_not_shown_without_its_secret_or_on_another_link(visitors: Visitors) -> None:
    shop = visitors.shop
    page = visitors.get(link_path(shop.one_time))
    visitors.press(shop.one_time, page.form_token, "pm_card_chargeDeclined")
    [theirs] = checkouts(visitors)
    guessed = CheckoutToken(theirs.id, "A" * 22)
    right = CheckoutToken(theirs.id, theirs.secret)
    for link, token in ((shop.one_time, guessed), (shop.monthly, right)):
        cookie = f"{checkout_tokens.cookie_name(link.id)}={token.text}"
        seen = visitors.get(link_path(link), Cookie=cookie)
        assert "anna@example.com" not in seen.text
        assert "was declined" not in seen.text
        assert seen.cookie != cookie
    mine = visitors.get(link_path(shop.one_time), Cookie=page.cookie)
    assert "anna@example.com" in mine.text
    assert "This card was declined, and we were not told why." in mine.text


def test_who_comes_back_after_paying_is_told_and_gets_a_new_checkout_that_tabs_share(visitors: Visitors) -> None:
    link = visitors.shop.one_time
    page = visitors.get(link_path(link))
    receipt = visitors.press(link, page.form_token).json["location"]
    back = visitors.get(link_path(link), Cookie=page.cookie)
    assert "You have paid $148.00 here already, on 31 January 2027." in plain(back.text)
    assert f'href="{receipt}"' in back.text
    assert "Paying again is a second payment." in back.text
    again = visitors.get(link_path(link), Cookie=back.cookie)
    assert again.cookie == back.cookie
    assert "You have paid $148.00 here already" in again.text
    assert again.form_token.split(".")[0] == back.form_token.split(".")[0] != page.form_token.split(".")[0]
    # The old form, in a tab that was left open, still means the first payment.
    assert visitors.press(link, page.form_token).json == {"status": "paid", "location": receipt}
    assert len(visitors.shop.succeeded()) == 1


def test_what_the_cookie_holds_is_read_as_it_was_written(visitors: Visitors) -> None:
    ids, now = visitors.shop.ids, visitors.shop.clock.now()
    first, second = checkout_tokens.mint(ids, now), checkout_tokens.mint(ids, now)
    for remembered in (Remembered(first), Remembered(first, second)):
        header = checkout_tokens.set_cookie(OTHER_ID, remembered, "/", BASE).partition(";")[0]
        assert checkout_tokens.from_cookie(f"a=b; {header}", OTHER_ID) == remembered
    assert checkout_tokens.from_cookie(None, OTHER_ID) == Remembered()


@pytest.mark.parametrize("page", ["link", "invoice"])
def test_a_card_token_that_stripe_does_not_know_is_answered_in_words_and_the_next_card_pays(
    visitors: Visitors, page: str
) -> None:
    shop = visitors.shop
    path, total = link_path(shop.one_time), "14800"
    if page == "invoice":
        [owed] = visitors.overdue_invoices(1)
        path, total = invoice_path(owed, more="/pay"), "4900"
    fields = {
        "form_token": visitors.get(path).form_token,
        "expected_total": total,
        "email": "anna@example.com",
        "name": "Anna Kowalska",
    }
    paid = len(shop.succeeded())
    words = "You have not been charged. Enter the card again, or use another card."
    stale = fields | {"confirmation_token": "ctoken_1Unknown"}
    scripted = visitors.send("POST", path, stale, headers={"Accept": "application/json"})
    assert (scripted.status, scripted.json) == (
        200,
        {"status": "declined", "title": "The payment could not be started.", "text": words},
    )
    drawn = visitors.send("POST", path, stale)
    assert (drawn.status, words in plain(drawn.text), "anna@example.com" in drawn.text) == (200, True, True)
    assert len(shop.succeeded()) == paid
    again = fields | {"confirmation_token": shop.token()}
    assert visitors.send("POST", path, again, headers={"Accept": "application/json"}).json["status"] == "paid"
    assert len(shop.succeeded()) == paid + 1
