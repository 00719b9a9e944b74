"""Several past-due invoices: the page of one lists the others and charges exactly those; and what the mails say."""

from __future__ import annotations

import html
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from chalicelib.domain.billing.dunning import Dunning, LadderEnd
from chalicelib.domain.documents.invoices import Invoice
from chalicelib.domain.documents.mails import Mail
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.handlers.mail_composer import compose
from chalicelib.services.account import update_account
from tests.doors.visitors import Answer, Visitors, invoice_path, plain
from tests.services.shop import Shop
from tests.services.test_dunning_ladder import ASKS_BANK, DUE, LADDER, LOST, behave, fails, owed

APRIL = datetime(2027, 4, 1, tzinfo=UTC)


def words(page: Answer) -> str:
    return html.unescape(plain(page.text)).replace("\u00a0", " ")


def pay(visitors: Visitors, invoice: Invoice, page: Answer) -> Answer:
    fields = {
        "form_token": page.form_token,
        "expected_total": "4900",
        "email": "anna@example.com",
        "name": "Anna",
        "confirmation_token": visitors.shop.token(),
    }
    return visitors.send("POST", invoice_path(invoice, more="/pay"), fields)


def two_owed(shop: Shop) -> tuple[Subscription, Invoice, Invoice]:
    subscription = fails(shop)
    shop.until(APRIL)
    first, second = shop.invoices()[1:]
    return subscription, first, second


LISTED = "It is also charged now for what is past due: INV-0003 $49.00. Together: $98.00."


def test_the_page_lists_what_else_is_charged_and_exactly_that_is(visitors: Visitors) -> None:
    shop = visitors.shop
    subscription, first, second = two_owed(shop)
    page = visitors.get(invoice_path(first, more="/pay"))
    assert LISTED in words(page)
    assert pay(visitors, first, page).status in (200, 302, 303)
    paid = shop.store.get(Invoice, first.id)
    assert (paid.status, paid.also_charges) == ("paid", (second.id,))
    assert paid.consent is not None
    assert paid.consent.text.replace("\u00a0", " ").endswith(LISTED)
    shop.settle()
    assert {str(each.status) for each in shop.invoices()} == {"paid"}
    assert shop.subscription(subscription.id).status == "active"


def test_a_page_that_listed_less_is_shown_again_before_anything_is_charged(visitors: Visitors) -> None:
    shop = visitors.shop
    subscription, first, _ = two_owed(shop)
    known = shop.subscription(subscription.id)
    shop.store.overwrite(replace(known, past_due_invoices=(first.id,)))
    page = visitors.get(invoice_path(first, more="/pay"))
    assert "also charged now" not in words(page)
    shop.store.overwrite(known)
    before = len(shop.stripe.calls)
    answer = pay(visitors, first, page)
    assert "changed" in answer.headers.get("location", "")
    assert len(shop.stripe.calls) == before
    assert shop.store.get(Invoice, first.id) == first


def test_a_single_past_due_invoice_lists_nothing_more(visitors: Visitors) -> None:
    fails(visitors.shop)
    visitors.shop.until(DUE)
    page = visitors.get(invoice_path(owed(visitors.shop), more="/pay"))
    assert "also charged now" not in words(page)


# --- mails


def said(shop: Shop) -> list[str]:
    """What each mail about the declined invoice would say now, oldest first: subject and first lines."""
    mails = [mail for mail in shop.store.all(Mail) if mail.about_id == owed(shop).id]
    composed = [compose(shop.ports, mail) for mail in sorted(mails, key=lambda mail: (mail.created_at, mail.kind))]
    return [f"{each.subject} | {each.text}".replace("\u00a0", " ") for each in composed if each is not None]


def test_the_mail_of_a_retry_says_the_day_of_the_next_try(visitors: Visitors) -> None:
    fails(visitors.shop)
    visitors.shop.until(DUE)
    [mail] = said(visitors.shop)
    assert mail.startswith("Payment of $49.00 to Pinewood Studio did not go through |")
    assert "We will try again on 1 March 2027." in mail
    assert "/pay" in mail


def test_the_mail_of_a_hard_decline_says_until_when(visitors: Visitors) -> None:
    shop = visitors.shop
    fails(shop, LOST)
    shop.until(DUE)
    [mail] = said(shop)
    assert mail.startswith("Action needed: $49.00 to Pinewood Studio |")
    assert "Please pay by 7 March 2027." in mail
    # A lost card reads like any other decline.
    assert "lost" not in mail.lower()
    dunning = Dunning(then=LadderEnd.CANCEL)
    update_account(shop.ports, shop.merchant.id, {"dunning": dunning}, actor="test")
    assert "Your subscription stays on until 7 March 2027." in said(shop)[0]


def test_the_mail_of_a_bank_leads_to_the_page_that_confirms_the_same_intent(visitors: Visitors) -> None:
    shop = visitors.shop
    fails(shop, ASKS_BANK)
    shop.until(DUE)
    [mail] = said(shop)
    assert mail.startswith("Approve your payment of $49.00 to Pinewood Studio |")
    assert invoice_path(owed(shop), more="/pay") in mail
    assert visitors.get(invoice_path(owed(shop), more="/pay")).status == 200


def test_once_paid_only_the_receipt_and_the_good_news_are_left_to_say(visitors: Visitors) -> None:
    shop = visitors.shop
    subscription = fails(shop)
    shop.until(DUE + timedelta(hours=1))
    behave(shop, subscription, "pm_card_visa")
    shop.until(LADDER[0])
    subjects = [mail.partition(" | ")[0] for mail in said(shop)]
    assert subjects == ["Receipt from Pinewood Studio: $49.00", "Your payments to Pinewood Studio are up to date"]
    behind = shop.subscription(subscription.id)
    shop.store.overwrite(replace(behind, past_due_invoices=("inv_later",)))
    assert [mail.partition(" | ")[0] for mail in said(shop)] == ["Receipt from Pinewood Studio: $49.00"]
    shop.left_broken = "behind again by hand"
