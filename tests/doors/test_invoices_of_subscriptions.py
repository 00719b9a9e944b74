"""The invoices of a subscription that the merchant made: what their pages ask agreement to, and what mails say."""

from __future__ import annotations

import html
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from chalicelib.domain.billing.recurrence import Frequency, Recurrence
from chalicelib.domain.documents.invoices import Collection, Invoice
from chalicelib.domain.documents.lines import LineItem
from chalicelib.domain.documents.mails import Mail, MailKind
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.documents.terms import Due
from chalicelib.handlers.mail_composer import compose
from chalicelib.services.customers import NewCustomer, create_customer
from chalicelib.services.editing import EditOrder, edit_subscription
from chalicelib.services.subscribing import NewSubscription, create_subscription
from tests.doors.visitors import BASE, Answer, Visitors, invoice_path, plain
from tests.services.shop import Shop, usd


def billed(shop: Shop, collection: Collection, **changes: Any) -> tuple[Subscription, Invoice]:
    """A subscription that has just begun, and its first invoice."""
    customer = create_customer(shop.ports, shop.merchant.id, NewCustomer("ada@example.com", name="Ada"), actor="test")
    lines = (LineItem("Membership", 1, usd(4_900)),)
    fields = {"currency": "usd", "lines": lines, "recurrence": Recurrence(Frequency.MONTHLY), "collection": collection}
    new = NewSubscription(**(fields | changes))
    made = create_subscription(shop.ports, shop.merchant.id, customer.id, new, actor="test")
    shop.settle()
    [invoice] = shop.invoices()
    return made, invoice


def words(page: Answer) -> str:
    return html.unescape(plain(page.text))


def pay(visitors: Visitors, invoice: Invoice) -> Answer:
    path = invoice_path(invoice, more="/pay")
    fields = {
        "form_token": visitors.get(path).form_token,
        "expected_total": "4900",
        "email": "ada@example.com",
        "name": "Ada",
        "confirmation_token": visitors.shop.token(),
    }
    return visitors.send("POST", path, fields)


def mails(shop: Shop, kind: MailKind) -> list[Mail]:
    return [mail for mail in shop.store.all(Mail) if mail.kind is kind]


def test_the_page_of_an_automatic_one_says_what_its_card_will_be_charged_for_and_keeps_it(visitors: Visitors) -> None:
    shop = visitors.shop
    made, invoice = billed(shop, Collection.AUTOMATIC)
    page = visitors.get(invoice_path(invoice, more="/pay"))
    agreed = (
        "stores this payment method and charges it $49.00 every month, starting 28 February 2027, until you cancel."
    )
    assert agreed in words(page)
    paid = pay(visitors, invoice)
    assert paid.headers["location"].startswith(f"{BASE}/receipt/")
    kept = shop.subscription(made.id)
    assert kept.method is not None
    assert kept.consent is not None
    assert agreed in kept.consent.text.replace("\u00a0", " ")
    assert (kept.consent.address, kept.collection_blocked) == ("127.0.0.1", None)
    assert "$49.00 on 28 February 2027" in words(visitors.get(paid.headers["location"]))
    [receipt] = mails(shop, MailKind.RECEIPT)
    mail = compose(shop.ports, receipt)
    assert mail is not None
    text = mail.text.replace("\u00a0", " ")
    assert "Next charge: $49.00 on 28 February 2027." in text
    # Its buyer was there: nothing was charged by schedule.
    assert "because a payment was made with ada@example.com" in text
    shop.until(datetime(2027, 2, 28, 20, 30, tzinfo=UTC))
    assert [each.status for each in shop.invoices()] == ["paid", "paid"]
    renewed = compose(shop.ports, next(each for each in mails(shop, MailKind.RECEIPT) if each.id != receipt.id))
    assert renewed is not None
    assert "because a subscription of ada@example.com" in renewed.text


def test_the_page_of_a_sent_one_asks_agreement_to_nothing_and_keeps_no_card(visitors: Visitors) -> None:
    shop = visitors.shop
    made, invoice = billed(shop, Collection.SEND)
    page = visitors.get(invoice_path(invoice, more="/pay"))
    assert page.status == 200
    assert "stores this payment method" not in words(page)
    paid = pay(visitors, invoice)
    assert paid.headers["location"].startswith(f"{BASE}/receipt/")
    after = shop.subscription(made.id)
    assert (after.method, after.consent, after.payments_made) == (None, None, 1)
    assert "28 February" not in words(visitors.get(paid.headers["location"]))
    [receipt] = mails(shop, MailKind.RECEIPT)
    mail = compose(shop.ports, receipt)
    assert mail is not None
    assert "Next charge" not in mail.text


def test_a_sent_invoice_is_brought_by_a_mail_that_leads_to_its_page(visitors: Visitors) -> None:
    shop = visitors.shop
    _, invoice = billed(shop, Collection.SEND, due=Due(net_days=30))
    [row] = mails(shop, MailKind.INVOICE)
    mail = compose(shop.ports, row)
    assert mail is not None
    assert (mail.to, mail.from_name) == ("ada@example.com", "Pinewood Studio")
    assert mail.subject.replace("\u00a0", " ") == "Invoice INV-0001 from Pinewood Studio: $49.00 due 2 March"
    text = mail.text.replace("\u00a0", " ")
    for part in (
        "Invoice INV-0001\n$49.00\nDue 2 March 2027\n",
        f"View and pay invoice: {BASE}{invoice_path(invoice)}\n",
        "Membership (a month): $49.00\n",
        "Total (USD): $49.00\n",
        "You get this mail because Pinewood Studio has an invoice for ada@example.com.\n",
    ):
        assert part in text, text
    assert f'href="{BASE}{invoice_path(invoice)}"' in mail.html
    assert pay(visitors, invoice).status == 303
    # There is nothing left to ask for.
    assert compose(shop.ports, row) is None


def test_a_change_and_a_credit_are_on_the_invoice_its_pay_page_its_mail_and_its_receipt(visitors: Visitors) -> None:
    shop = visitors.shop
    made, invoice = billed(shop, Collection.SEND)
    pay(visitors, invoice)
    shop.after(days=10)
    dearer = EditOrder((LineItem("Membership", 1, usd(5_900)),), now=True)
    edit_subscription(shop.ports, shop.merchant.id, made.id, dearer, actor="test")
    fresh = shop.subscription(made.id)
    shop.store.overwrite(replace(fresh, credit_balance=usd(1_000), version=fresh.version))
    shop.left_broken = "credit was given by hand"
    shop.until(datetime(2027, 3, 1, tzinfo=UTC))
    newest = shop.invoices()[-1]
    due = newest.amount_due
    assert (newest.credited, newest.part.amount) == (usd(1_000), due)
    assert due == newest.totals.total - usd(1_000)
    [mail] = [each for each in mails(shop, MailKind.INVOICE) if each.about_id == newest.id]
    sent = compose(shop.ports, mail)
    assert sent is not None
    shown = f"${due.minor // 100}.{due.minor % 100:02d}"
    pages = [words(visitors.get(invoice_path(newest, more=more))) for more in ("", "/pay")]
    for page in (*pages, sent.text):
        text = page.replace("\u00a0", " ")
        assert "Unused time: Membership" in text
        assert "Remaining time: Membership" in text
        assert "\u2212$10.00" in text
        assert shown in text
    path = invoice_path(newest, more="/pay")
    fields = {
        "form_token": visitors.get(path).form_token,
        "expected_total": str(due.minor),
        "email": "ada@example.com",
        "name": "Ada",
        "confirmation_token": shop.token(),
    }
    receipt = visitors.send("POST", path, fields).headers["location"]
    assert receipt.startswith(f"{BASE}/receipt/")
    assert shown in words(visitors.get(receipt))
    told = [each for each in mails(shop, MailKind.RECEIPT) if each.about_id == newest.id]
    mailed = compose(shop.ports, told[0])
    assert mailed is not None
    assert f"You paid {shown}" in mailed.text.replace("\u00a0", " ")
    assert "Credit: \u2212$10.00" in mailed.text.replace("\u00a0", " ")
