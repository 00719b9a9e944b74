"""What a signed-in buyer sees and does in the portal, over HTTP: how things stand, another card, cancel and resume."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from chalicelib.domain.documents.mails import Mail
from chalicelib.domain.documents.portal import MethodChange
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.handlers.mail_composer import compose
from chalicelib.services.account import update_account
from chalicelib.services.customers import NewCustomer, create_customer
from chalicelib.services.ports import Update
from chalicelib.services.saving import commit
from chalicelib.services.subscriptions import cancel
from tests.doors.portal_visitors import PORTAL, Buyer, anna_is_behind, change_begun, form_token, own, waiting
from tests.doors.visitors import BASE, Answer, Visitors, invoice_path, plain


@pytest.fixture
def anna(visitors: Visitors) -> Buyer:
    """Signed in, with a subscription that is paid up."""
    visitors.shop.subscribe()
    visitors.shop.settle()
    buyer = Buyer(visitors)
    buyer.sign_in()
    return buyer


def hers(buyer: Buyer) -> Subscription:
    [subscription] = buyer.visitors.shop.store.all(Subscription)
    return subscription


def words(answer: Answer) -> str:
    # Cells and headings stand apart on the page.
    return " ".join(plain(re.sub(r"</(h\d|p|dt|dd|td|th|div|li|a)>", " ", answer.text)).split())


def press_method(buyer: Buyer, subscription: Subscription, behaves: str = "pm_card_visa", **changes: str) -> Answer:
    """The page that replaces a method, filled and sent as its script does."""
    path = own(subscription, "/method")
    page = buyer.get(path)
    total = page.text.partition('name="expected_total" value="')[2].partition('"')[0]
    fields = {
        "form_token": form_token(page, path),
        "email": "anna@example.com",
        "name": "Anna Kowalska",
        "expected_total": total,
        "confirmation_token": buyer.visitors.shop.token(behaves),
    }
    return buyer.post(path, fields | changes, Accept="application/json")


def test_a_subscription_that_runs_says_what_is_charged_next_and_when(anna: Buyer) -> None:
    home = words(anna.get(PORTAL))
    assert "Membership $49.00 a month Active" in home
    assert "Next charge: $49.00 on 28 February 2027 with Visa ending 4242." in home
    assert "INV-0001" in home
    assert "Replace card" not in home
    page = words(anna.get(own(hers(anna))))
    assert "Since 31 January 2027 Next charge 28 February 2027 Payment method Visa ending 4242" in page
    [invoice] = anna.visitors.shop.invoices()
    assert f'href="{BASE}{invoice_path(invoice)}"' in anna.get(own(hers(anna))).text


def test_what_needs_the_buyer_stands_first_with_one_button_that_says_what_it_costs(visitors: Visitors) -> None:
    subscription = anna_is_behind(visitors)
    anna = Buyer(visitors)
    anna.sign_in()
    home = anna.get(PORTAL)
    assert "$49.00 for Membership did not go through." in words(home)
    assert home.text.count('class="button main"') == 1
    assert f'href="{BASE}{own(subscription, "/method")}">Replace card and pay $49.00</a>' in home.text
    method = words(anna.get(own(subscription, "/method")))
    assert "Invoice INV-0002" in method
    assert (
        "By saving this card you agree that Pinewood Studio stores this payment method and charges it $49.00 now, which"
        " is owed; and $49.00 every month, starting 31 March 2027, until you cancel."
    ) in method


def test_another_card_is_stored_and_what_is_owed_is_charged_to_it(visitors: Visitors) -> None:
    subscription = anna_is_behind(visitors)
    anna, shop = Buyer(visitors), visitors.shop
    anna.sign_in()
    answer = press_method(anna, subscription)
    assert answer.json == {"status": "stored", "location": f"{BASE}{own(subscription)}?stored=1"}
    page = words(anna.get(f"{own(subscription)}?stored=1"))
    assert "Visa ending 4242 is stored. We are charging $49.00 to it now, and write to you about each invoice." in page
    assert "Payment on its way" in page
    assert "Replace card" not in page
    kept = shop.subscription(subscription.id)
    assert kept.consent is not None
    assert kept.consent.text.startswith("By saving this card you agree that Pinewood Studio stores this payment method")
    assert kept.consent.address == "127.0.0.1"
    shop.settle()
    assert "Membership Active" in words(anna.get(own(subscription)))
    assert [invoice.status for invoice in shop.invoices()] == ["paid", "paid"]


def test_a_declined_card_says_so_and_nothing_has_moved(visitors: Visitors) -> None:
    subscription = anna_is_behind(visitors)
    anna = Buyer(visitors)
    anna.sign_in()
    answer = press_method(anna, subscription, "pm_card_chargeDeclinedInsufficientFunds")
    assert answer.json == {
        "status": "declined",
        "title": "Your bank declined this card.",
        "text": "There is not enough money available on it, or it has reached a limit. You have not been charged. "
        "Use another card.",
    }
    assert visitors.shop.subscription(subscription.id) == subscription
    # Who has no script gets the same on a page.
    [change] = visitors.shop.store.all(MethodChange)
    assert "Your bank declined this card." in words(anna.get(waiting(change)))


def test_a_challenge_leads_to_the_waiting_address_which_leads_on_when_stripe_knows(anna: Buyer) -> None:
    subscription, shop = hers(anna), anna.visitors.shop
    change = change_begun(anna.visitors, anna, subscription, "pm_card_authenticationRequiredOnSetup")
    shown = anna.get(waiting(change))
    assert (shown.status, "Your bank could not confirm that it is you." in words(shown)) == (200, True)
    [intent] = shop.stripe.setup_intents()
    shop.stripe.pass_challenge(intent.id)
    status = anna.get(f"{waiting(change)}/status")
    assert status.json == {"status": "stored", "location": f"{BASE}{own(subscription)}?stored=1"}
    assert anna.get(waiting(change)).headers["location"] == f"{BASE}{own(subscription)}?stored=1"


def test_a_lost_answer_waits_and_says_that_nothing_need_be_entered_again(anna: Buyer) -> None:
    subscription, shop = hers(anna), anna.visitors.shop
    shop.stripe.fail("confirm_setup_with_token", effect=True)
    shop.stripe.fail("retrieve_setup_intent", times=2)
    assert press_method(anna, subscription).json["status"] == "checking"
    [change] = shop.store.all(MethodChange)
    page = anna.get(waiting(change))
    assert page.heading == "We are checking your card."
    assert anna.get(f"{waiting(change)}/status").json == {"status": "checking"}
    assert anna.get(f"{waiting(change)}/status").json["status"] == "stored"


def test_terms_that_changed_while_the_page_stood_open_are_shown_anew(visitors: Visitors) -> None:
    subscription = anna_is_behind(visitors)
    anna, shop = Buyer(visitors), visitors.shop
    anna.sign_in()
    path = own(subscription, "/method")
    page = anna.get(path)
    fields = {"form_token": form_token(page, path), "confirmation_token": shop.token(), "expected_total": "4900"}
    [invoice] = [each for each in shop.invoices() if each.status == "open"]
    behind = shop.subscription(subscription.id)
    commit(shop.ports, [Update(replace(behind, past_due_invoices=()))])
    calls = len(shop.stripe.calls)
    answer = anna.post(path, {**fields, "email": "anna@example.com", "name": "Anna"}, Accept="application/json")
    assert answer.json == {"status": "changed", "location": f"{BASE}{path}?changed=1"}
    assert "What is owed has changed." in words(anna.get(f"{path}?changed=1"))
    assert (len(shop.stripe.calls), shop.store.all(MethodChange)) == (calls, [])
    assert shop.store.get(type(invoice), invoice.id) == invoice


def test_cancelling_keeps_what_is_paid_and_resuming_takes_it_back(anna: Buyer) -> None:
    subscription, shop = hers(anna), anna.visitors.shop
    path = own(subscription, "/cancel")
    question = anna.get(path)
    assert "You keep it until 28 February 2027. Then it ends, and you are not charged again." in words(question)
    assert anna.press(path, path, reason="Moving away").headers["location"] == f"{BASE}{own(subscription)}"
    ending = shop.subscription(subscription.id)
    assert (ending.status, ending.cancel_at_period_end, ending.cancel_reason) == ("active", True, "Moving away")
    page = words(anna.get(own(subscription)))
    assert "Ends 28 February 2027 Yours until 28 February 2027. There are no more charges." in page
    assert "Resume subscription" in page
    assert anna.get(path).status == 303

    resume = own(subscription, "/resume")
    assert anna.press(own(subscription), resume).status == 303
    kept = shop.subscription(subscription.id)
    assert (kept.cancel_at_period_end, kept.next_invoice_at) == (False, datetime(2027, 2, 28, 20, 30, tzinfo=UTC))
    assert shop.event_types()[-2:] == ["subscription.updated", "subscription.updated"]
    shop.until(datetime(2027, 2, 28, 20, 30, tzinfo=UTC))
    assert [invoice.status for invoice in shop.invoices()] == ["paid", "paid"]


def test_a_subscription_that_ended_meanwhile_is_not_resumed(anna: Buyer) -> None:
    subscription, shop = hers(anna), anna.visitors.shop
    cancel(shop.ports, shop.merchant.id, subscription.id, at="period_end", actor="test")
    token = form_token(anna.get(own(subscription)), own(subscription, "/resume"))
    ended = cancel(shop.ports, shop.merchant.id, subscription.id, at="now", actor="test")
    assert anna.post(own(subscription, "/resume"), {"form_token": token}).status == 303
    assert shop.subscription(subscription.id) == ended
    page = words(anna.get(own(subscription)))
    assert "Cancelled It ended on 31 January 2027. There are no more charges." in page
    assert "Resume" not in page
    assert "Change payment method" not in page
    assert anna.get(own(subscription, "/method")).headers["location"] == f"{BASE}{own(subscription)}"


def test_a_merchant_that_lets_nobody_cancel_in_the_portal_shows_no_way_to_and_takes_none(anna: Buyer) -> None:
    subscription, shop = hers(anna), anna.visitors.shop
    path = own(subscription, "/cancel")
    token = form_token(anna.get(path), path)
    update_account(shop.ports, shop.merchant.id, {"portal_cancel": False}, actor="test")
    assert path not in anna.get(PORTAL).text + anna.get(own(subscription)).text
    assert anna.get(path).status == 404
    assert anna.post(path, {"form_token": token}).status == 404
    assert shop.subscription(subscription.id) == subscription


def test_receipts_lead_to_the_portal_and_hold_no_key_to_it(anna: Buyer) -> None:
    shop = anna.visitors.shop
    [receipt] = [mail for mail in shop.store.all(Mail) if mail.kind == "receipt"]
    written = compose(shop.ports, receipt)
    assert written is not None
    assert f"Manage subscription: {BASE}{PORTAL}\n" in written.text
    assert f'href="{BASE}{PORTAL}"' in written.html
    stranger = Buyer(anna.visitors)
    assert stranger.get(PORTAL).heading == "Your account with Pinewood Studio"


def test_the_sign_in_mail_goes_to_a_customer_alone_and_says_how_long_it_is_good(visitors: Visitors) -> None:
    shop = visitors.shop
    shop.subscribe()
    shop.settle()
    for email in ("ANNA@example.com", "nobody@example.com"):
        assert Buyer(visitors).ask(email).status == 303
    mails = [mail for mail in shop.store.all(Mail) if mail.kind == "sign_in"]
    written = {mail.to: compose(shop.ports, mail) for mail in mails}
    assert written["nobody@example.com"] is None
    sent = written["ANNA@example.com"]
    assert sent is not None
    assert (sent.to, sent.subject) == ("anna@example.com", "Your sign-in link for Pinewood Studio")
    assert "Works once, for 15 minutes" in sent.text.replace("\u00a0", " ")
    shop.after(minutes=15)
    assert [compose(shop.ports, mail) for mail in mails] == [None, None]


def test_older_invoices_are_a_page_away_and_the_address_takes_nothing_but_an_invoice(anna: Buyer) -> None:
    shop = anna.visitors.shop
    for _ in range(22):
        shop.pay()
    home = anna.get(PORTAL)
    assert home.text.count('class="number"') == 20
    older = home.text.partition("?before=")[2].partition('"')[0]
    page = anna.get(f"{PORTAL}?before={older}")
    assert page.text.count('class="number"') == 3
    assert "Newest invoices" in page.text
    assert anna.get(f"{PORTAL}?before=%3Cscript%3E").text.count('class="number"') == 20


def test_who_has_nothing_reads_that_it_will_be_listed_here(visitors: Visitors) -> None:
    create_customer(visitors.shop.ports, visitors.shop.merchant.id, NewCustomer("new@example.com"), actor="test")
    buyer = Buyer(visitors)
    buyer.sign_in("new@example.com")
    page = words(buyer.get(PORTAL))
    assert "Nothing to pay. Invoices and subscriptions from Pinewood Studio will be listed here." in page


def test_signing_out_takes_the_cookie_and_the_session(anna: Buyer) -> None:
    answer = anna.press(PORTAL, f"{PORTAL}/out")
    assert answer.headers["location"] == f"{BASE}{PORTAL}"
    assert answer.headers["set-cookie"] == f"till_portal=; Path={PORTAL}; Max-Age=0; HttpOnly; SameSite=Lax; Secure"
    assert anna.get(PORTAL).heading == "Your account with Pinewood Studio"
