"""Who tries stolen cards is stopped early; who buys is not stopped by others."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.domain.documents.checkouts import Checkout
from chalicelib.domain.documents.limits import AddressTries, LinkDeclines
from chalicelib.domain.documents.links import PaymentLink
from chalicelib.domain.documents.mails import Mail, MailKind, MailState
from chalicelib.domain.documents.merchants import Merchant
from chalicelib.handlers.mail_composer import compose
from chalicelib.services.checkouts.submit import MOST_TRIES
from chalicelib.services.limits.addresses import MOST_UNPAID
from chalicelib.services.limits.breaker import COUNTED_PER_ADDRESS, FEWEST_DECLINES
from chalicelib.services.links import switch_link
from chalicelib.services.mails import send_mail
from chalicelib.services.ports import Insert, Update
from tests.doors.conftest import Whereabouts
from tests.doors.visitors import BASE, Answer, Visitors, invoice_path, link_path, plain
from tests.services.shop import Shop

DECLINED = "pm_card_chargeDeclined"


def use_up_the_address(visitors: Visitors) -> None:
    """Thirty declined tries, three on each of ten checkouts."""
    for _ in range(10):
        token = visitors.get(link_path(visitors.shop.one_time)).form_token
        for _ in range(3):
            assert visitors.press(visitors.shop.one_time, token, DECLINED).json["status"] == "declined"


def refused_until(answer: Answer, words: str) -> None:
    assert answer.status == 200
    assert answer.json["status"] == "too_many_tries"
    assert answer.json["title"] == "Too many tries."
    text = plain(answer.json["text"])
    assert text == f"For safety, paying pauses here until {words}. What you typed is kept."


def links_of(shop: Shop) -> PaymentLink:
    return shop.store.get(PaymentLink, shop.one_time.id)


# --- by address


def test_the_numbers_are_these() -> None:
    assert (MOST_TRIES, MOST_UNPAID, FEWEST_DECLINES, COUNTED_PER_ADDRESS) == (10, 30, 40, 5)


def test_an_address_has_thirty_unpaid_tries_an_hour_and_is_told_until_when(visitors: Visitors) -> None:
    shop = visitors.shop
    use_up_the_address(visitors)
    shop.after(minutes=20)
    page = visitors.get(link_path(shop.one_time))
    assert page.status == 200
    before = visitors.contents()
    answer = visitors.press(shop.one_time, page.form_token)
    # It is 15:50 in New York; the first of the thirty was at 15:30.
    refused_until(answer, "16:30 (EST)")
    assert answer.headers["retry-after"] == "2400"
    assert visitors.contents() == before
    shop.after(minutes=40)
    assert visitors.press(shop.one_time, page.form_token).json["status"] == "paid"
    [count] = shop.store.all(AddressTries)
    assert (count.since, len(count.owners)) == (shop.clock.now(), 1)


def test_another_link_of_the_merchant_is_no_way_around_and_another_merchant_is_not_concerned(
    visitors: Visitors,
) -> None:
    shop = visitors.shop
    use_up_the_address(visitors)
    refused_until(visitors.press(shop.monthly), "16:30 (EST)")
    [count] = shop.store.all(AddressTries)
    assert count.merchant_id == shop.merchant.id
    assert "127.0.0.1" not in str(count)


def test_others_buy_while_one_address_waits(visitors: Visitors, whereabouts: Whereabouts) -> None:
    use_up_the_address(visitors)
    whereabouts.are("198.51.100.7")
    assert visitors.press(visitors.shop.one_time).json["status"] == "paid"


@pytest.mark.parametrize("name", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "CloudFront-Viewer-Address"])
def test_what_a_client_says_of_its_address_is_not_believed(visitors: Visitors, name: str) -> None:
    use_up_the_address(visitors)
    answer = visitors.press(visitors.shop.one_time, headers={name: "198.51.100.7"})
    assert answer.json["status"] == "too_many_tries"


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:198.51.100.7", "198.51.100.7", True),
        ("198.51.100.7", "198.51.100.8", False),
        ("not an address", "nor this", True),
    ],
)
def test_an_ipv6_customers_whole_network_is_one_address(
    visitors: Visitors, whereabouts: Whereabouts, first: str, second: str, same: bool
) -> None:
    for address in (first, second):
        whereabouts.are(address)
        visitors.press(visitors.shop.one_time, None, DECLINED)
    counts = visitors.shop.store.all(AddressTries)
    assert sorted(len(count.owners) for count in counts) == ([2] if same else [1, 1])


def test_what_was_paid_is_taken_off_so_a_busy_office_is_not_stopped(visitors: Visitors) -> None:
    shop = visitors.shop
    for _ in range(MOST_UNPAID + 15):
        assert visitors.press(shop.one_time).json["status"] == "paid"
    assert len(shop.succeeded()) == MOST_UNPAID + 15


def test_a_checkout_that_paid_at_last_takes_off_one_try_and_not_all(visitors: Visitors) -> None:
    shop = visitors.shop
    token = visitors.get(link_path(shop.one_time)).form_token
    for _ in range(5):
        visitors.press(shop.one_time, token, DECLINED)
    assert visitors.press(shop.one_time, token).json["status"] == "paid"
    for _ in range(3):
        token = visitors.get(link_path(shop.one_time)).form_token
        for _ in range(8):
            visitors.press(shop.one_time, token, DECLINED)
    # 6 and 24 are 30, of which one was paid.
    assert visitors.press(shop.one_time, None, DECLINED).json["status"] == "declined"
    assert visitors.press(shop.one_time, None, DECLINED).json["status"] == "too_many_tries"


def test_an_invoices_page_counts_for_the_same_address(visitors: Visitors) -> None:
    shop = visitors.shop
    [owed] = visitors.overdue_invoices()
    use_up_the_address(visitors)
    path = invoice_path(owed, more="/pay")
    fields = {
        "form_token": visitors.get(path).form_token,
        "expected_total": "4900",
        "email": "anna@example.com",
        "name": "Anna",
        "confirmation_token": shop.token(),
    }
    calls = len(shop.stripe.calls)
    answer = visitors.send("POST", path, fields, headers={"Accept": "application/json"})
    assert answer.json["status"] == "too_many_tries"
    assert len(shop.stripe.calls) == calls
    shop.after(hours=1)
    assert visitors.send("POST", path, fields, headers={"Accept": "application/json"}).json["status"] == "paid"


def test_looking_costs_nothing_and_counts_nothing(visitors: Visitors) -> None:
    before = visitors.contents()
    for _ in range(100):
        assert visitors.get(link_path(visitors.shop.one_time)).status == 200
    assert visitors.contents() == before


def test_a_press_that_tries_no_card_is_not_counted(visitors: Visitors) -> None:
    link = visitors.shop.one_time
    visitors.press(link, expected_total="1")
    visitors.press(link, email="nobody")
    visitors.press(link, "x")
    visitors.press(link, confirmation_token="no token of Stripe's")
    assert visitors.shop.store.all(AddressTries) == visitors.shop.store.all(Checkout) == []


def test_a_try_on_a_paid_checkout_is_not_counted(visitors: Visitors) -> None:
    link = visitors.shop.one_time
    token = visitors.get(link_path(link)).form_token
    for _ in range(5):
        assert visitors.press(link, token).json["status"] == "paid"
    [count] = visitors.shop.store.all(AddressTries)
    assert len(count.owners) == 1


# --- the breaker


def declines_from(
    visitors: Visitors, whereabouts: Whereabouts, addresses: int, each: int = COUNTED_PER_ADDRESS
) -> None:
    """So many declined tries from each of some addresses."""
    for number in range(addresses):
        whereabouts.are(f"203.0.113.{number}")
        token = visitors.get(link_path(visitors.shop.one_time)).form_token
        for _ in range(each):
            visitors.press(visitors.shop.one_time, token, DECLINED)


def test_a_link_whose_payments_nearly_all_fail_pauses_for_an_hour_and_says_so(
    visitors: Visitors, whereabouts: Whereabouts, caplog: pytest.LogCaptureFixture
) -> None:
    shop = visitors.shop
    caplog.set_level("INFO", "till")
    declines_from(visitors, whereabouts, 7)
    whereabouts.are("198.51.100.7")
    token = visitors.get(link_path(shop.one_time)).form_token
    for _ in range(4):
        visitors.press(shop.one_time, token, DECLINED)
    assert links_of(shop).paused_until is None
    assert visitors.press(shop.one_time, token, DECLINED).json["status"] == "declined"
    assert links_of(shop).paused_until == shop.clock.now() + timedelta(hours=1)

    before = visitors.contents()
    whereabouts.are("198.51.100.8")
    page = visitors.get(link_path(shop.one_time))
    assert (page.status, page.heading) == (429, "Paying pauses here until 16:30 (EST).")
    assert page.headers["retry-after"] == "3600"
    assert "You have not been charged." in page.text
    assert "most likely not yours" in page.text
    # Who had the form open already is told on it.
    refused_until(visitors.press(shop.one_time, token), "16:30 (EST)")
    assert visitors.contents() == before
    assert visitors.press(shop.monthly).json["status"] == "paid"

    events, _ = shop.store.events(shop.merchant.id, limit=100)
    [told] = [event for event in events if event.type == "payment_link.updated"]
    assert (told.object_id, told.actor) == (shop.one_time.id, "till")
    assert told.data["object"]["paused_until"] == "2027-01-31T21:30:00Z"
    assert told.data["previous"] == {"paused_until": None}
    paused = [record for record in caplog.records if record.getMessage() == "link_paused"]
    assert [(record.levelname, record.__dict__["link"]) for record in paused] == [("ERROR", shop.one_time.id)]

    shop.after(hours=1)
    assert visitors.press(shop.one_time).json["status"] == "paid"


def test_the_operator_is_written_to_once_unless_the_pause_is_over_already(
    visitors: Visitors, whereabouts: Whereabouts
) -> None:
    shop = visitors.shop
    merchant = shop.store.get(Merchant, shop.merchant.id)
    shop.store.commit("support", [Update(replace(merchant, support_email="ops@pinewood.example"))])
    declines_from(visitors, whereabouts, 8)
    [asked] = [mail for mail in shop.store.all(Mail) if mail.kind is MailKind.LINK_PAUSED]
    assert (asked.to, asked.about_id, asked.state) == ("ops@pinewood.example", shop.one_time.id, MailState.QUEUED)

    assert send_mail(shop.ports, shop.mailer, compose, asked.id) == "sent"
    [sent] = shop.mailer.sent
    assert (sent.to, sent.subject) == ("ops@pinewood.example", "Payments paused: Product photography")
    said = sent.text.replace("\u00a0", " ")
    assert "The link takes no payments until 16:30 (EST), then goes on by itself." in said
    assert f"See the page: {BASE}{link_path(shop.one_time)}" in said
    assert plain(sent.html).replace("\n", " ").count("Payment link paused") == 1
    assert "{{" not in sent.html
    assert send_mail(shop.ports, shop.mailer, compose, asked.id) == "sent"
    assert len(shop.mailer.sent) == 1


def test_a_pause_that_a_person_has_ended_is_not_written_about(visitors: Visitors, whereabouts: Whereabouts) -> None:
    shop = visitors.shop
    merchant = shop.store.get(Merchant, shop.merchant.id)
    shop.store.commit("support", [Update(replace(merchant, support_email="ops@pinewood.example"))])
    declines_from(visitors, whereabouts, 8)
    switch_link(shop.ports, shop.merchant.id, shop.one_time.id, on=True, actor="test")
    [asked] = [mail for mail in shop.store.all(Mail) if mail.kind is MailKind.LINK_PAUSED]
    assert send_mail(shop.ports, shop.mailer, compose, asked.id) == "nothing to say"
    assert shop.mailer.sent == []


def test_one_stranger_cannot_stop_a_link_for_everybody(visitors: Visitors, whereabouts: Whereabouts) -> None:
    shop = visitors.shop
    for _ in range(3):
        for _ in range(10):
            token = visitors.get(link_path(shop.one_time)).form_token
            for _ in range(3):
                visitors.press(shop.one_time, token, DECLINED)
        shop.after(hours=1)
    assert links_of(shop).paused_until is None
    [count] = shop.store.all(LinkDeclines)
    assert count.declines == COUNTED_PER_ADDRESS
    whereabouts.are("198.51.100.7")
    assert visitors.press(shop.one_time).json["status"] == "paid"


CHALLENGED = "pm_card_authenticationRequired"


def challenge_fails(visitors: Visitors, token: str, *, told_by: str) -> None:
    """The buyer's bank says no; the waiting page, Stripe's event, or both bring it."""
    shop = visitors.shop
    intent = shop.stripe.fail_challenge(shop.stripe.intents()[-1].id)
    if told_by != "webhook":
        waiting = f"/return/pinewood/{token.partition('.')[0]}"
        assert visitors.get(waiting).status == 303
    if told_by != "page":
        shop.tell(shop.notice("payment_intent.payment_failed", intent, f"evt_{intent.id}"))


@pytest.mark.parametrize("told_by", ["page", "webhook", "both"])
def test_a_decline_that_is_heard_after_a_challenge_counts_once(
    visitors: Visitors, whereabouts: Whereabouts, told_by: str
) -> None:
    shop = visitors.shop
    token = visitors.get(link_path(shop.one_time)).form_token
    assert visitors.press(shop.one_time, token, CHALLENGED).json["status"] == "requires_action"
    assert shop.store.all(LinkDeclines) == []
    challenge_fails(visitors, token, told_by=told_by)
    assert [count.declines for count in shop.store.all(LinkDeclines)] == [1]
    assert visitors.press(shop.one_time, token, DECLINED).json["status"] == "declined"
    assert [count.declines for count in shop.store.all(LinkDeclines)] == [2]


def test_declines_after_challenges_pause_a_link_as_others_do_and_count_five_times_an_address(
    visitors: Visitors, whereabouts: Whereabouts
) -> None:
    shop = visitors.shop
    for number in range(8):
        whereabouts.are(f"203.0.113.{number}")
        for _ in range(COUNTED_PER_ADDRESS + 1):
            assert links_of(shop).paused_until is None
            token = visitors.get(link_path(shop.one_time)).form_token
            visitors.press(shop.one_time, token, CHALLENGED)
            challenge_fails(visitors, token, told_by="page")
            if links_of(shop).paused_until is not None:
                break
    [count] = shop.store.all(LinkDeclines)
    assert (count.declines, number) == (FEWEST_DECLINES, 7)
    assert links_of(shop).paused_until == shop.clock.now() + timedelta(hours=1)


def test_a_challenge_that_is_passed_counts_as_a_payment_alone(visitors: Visitors) -> None:
    shop = visitors.shop
    token = visitors.get(link_path(shop.one_time)).form_token
    visitors.press(shop.one_time, token, CHALLENGED)
    shop.stripe.pass_challenge(shop.stripe.intents()[-1].id)
    visitors.get(f"/return/pinewood/{token.partition('.')[0]}")
    assert (len(shop.invoices()), shop.store.all(LinkDeclines)) == (1, [])


def test_a_link_that_sells_well_is_not_stopped_by_its_declines(visitors: Visitors, whereabouts: Whereabouts) -> None:
    shop = visitors.shop
    declines_from(visitors, whereabouts, 1, each=1)
    for number in range(11):
        whereabouts.are(f"198.51.100.{number}")
        assert visitors.press(shop.one_time).json["status"] == "paid"
    declines_from(visitors, whereabouts, 9)
    # 44 declines and 11 payments since the first of them are 80 %; the 45th was not let through any more.
    [count] = shop.store.all(LinkDeclines)
    assert (count.declines, count.paid_before) == (44, 0)
    assert links_of(shop).paused_until == shop.clock.now() + timedelta(hours=1)


def test_below_the_rate_nothing_pauses(visitors: Visitors, whereabouts: Whereabouts) -> None:
    shop = visitors.shop
    declines_from(visitors, whereabouts, 1, each=1)
    for number in range(12):
        whereabouts.are(f"198.51.100.{number}")
        assert visitors.press(shop.one_time).json["status"] == "paid"
    declines_from(visitors, whereabouts, 9)
    [count] = shop.store.all(LinkDeclines)
    assert count.declines == 45
    assert links_of(shop).paused_until is None


def test_the_hour_begins_anew_with_the_first_decline_after_it(visitors: Visitors, whereabouts: Whereabouts) -> None:
    shop = visitors.shop
    declines_from(visitors, whereabouts, 7)
    shop.after(hours=1)
    declines_from(visitors, whereabouts, 7)
    [count] = shop.store.all(LinkDeclines)
    assert (count.declines, count.since) == (35, shop.clock.now())
    assert links_of(shop).paused_until is None


def test_the_merchant_ends_a_pause_by_switching_the_link_on(visitors: Visitors) -> None:
    shop = visitors.shop
    link = links_of(shop)
    shop.store.commit("pause", [Update(replace(link, paused_until=shop.clock.now() + timedelta(hours=1)))])
    assert visitors.get(link_path(link)).status == 429
    assert switch_link(shop.ports, shop.merchant.id, link.id, on=True, actor="test").paused_until is None
    assert visitors.get(link_path(link)).status == 200
    version = links_of(shop).version
    switch_link(shop.ports, shop.merchant.id, link.id, on=True, actor="test")
    assert links_of(shop).version == version


def test_a_link_that_is_off_says_that_and_not_that_it_pauses(visitors: Visitors) -> None:
    shop = visitors.shop
    link = replace(links_of(shop), active=False, paused_until=shop.clock.now() + timedelta(hours=1))
    shop.store.commit("off", [Update(link)])
    page = visitors.get(link_path(link))
    assert (page.status, page.heading) == (410, "This link is closed.")


def test_money_on_its_way_is_booked_while_the_link_pauses(visitors: Visitors) -> None:
    shop = visitors.shop
    token = visitors.get(link_path(shop.one_time)).form_token
    answer = visitors.press(shop.one_time, token, "pm_card_authenticationRequired")
    assert answer.json["status"] == "requires_action"
    link = links_of(shop)
    shop.store.commit("pause", [Update(replace(link, paused_until=shop.clock.now() + timedelta(hours=1)))])
    shop.stripe.pass_challenge(shop.stripe.intents()[0].id)
    assert visitors.get(answer.json["location"]).headers["location"].startswith(f"{BASE}/receipt/")
    assert visitors.press(shop.one_time, token).json["status"] == "paid"
    assert len(shop.succeeded()) == len(shop.invoices()) == 1


def test_a_time_within_a_minute_is_shown_as_the_next_whole_one(visitors: Visitors) -> None:
    shop = visitors.shop
    link = links_of(shop)
    until = datetime(2027, 1, 31, 21, 30, 1, tzinfo=UTC)
    shop.store.commit("pause", [Update(replace(link, paused_until=until))])
    assert visitors.get(link_path(link)).heading == "Paying pauses here until 16:31 (EST)."


def test_the_count_of_a_source_is_read_only_for_its_own_merchant(visitors: Visitors) -> None:
    shop = visitors.shop
    full = AddressTries(
        "tries#mer_elm#x", "mer_elm", shop.clock.now(), shop.clock.now(), tuple(f"chk_{n}" for n in range(MOST_UNPAID))
    )
    shop.store.commit("full", [Insert(full)])
    assert visitors.press(shop.one_time).json["status"] == "paid"
