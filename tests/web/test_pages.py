"""The pages as they are sent: exact sentences, nothing unescaped, no script or style where none may be."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from chalicelib.web import render
from chalicelib.web.headers import PageKind
from tests.web import samples
from tests.web.gallery import exhibits
from tests.web.samples import LONG_NAME, MARKUP, RIGHT_TO_LEFT, usd
from tests.web.views import Decline, LineView, StateKind, StatePage

EXHIBITS = exhibits()
PAGES = {name: exhibit for name, exhibit in EXHIBITS.items() if not exhibit.mail}
PAY_PAGES = [name for name, exhibit in PAGES.items() if exhibit.kind is PageKind.PAY]

VOID = {"meta", "link", "input", "br", "img"}
DRAWN = {"path", "circle", "rect"}
BLOCKS = {
    "td",
    "th",
    "tr",
    "caption",
    "dt",
    "dd",
    "div",
    "p",
    "li",
    "h1",
    "h2",
    "a",
    "button",
    "label",
    "header",
    "title",
}


class Reader(HTMLParser):
    """Text as it is read, tags in order, and a complaint about every tag that is not closed where it should be."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in BLOCKS or ("class", "sub") in attrs:
            self.words.append(" ")
        if tag not in VOID | DRAWN:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        if tag in BLOCKS:
            self.words.append(" ")

    def handle_data(self, data: str) -> None:
        assert "script" not in self.open
        self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", "".join(self.words).replace("\u00a0", " ")).strip()

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


def read(name: str) -> Reader:
    return Reader(EXHIBITS[name].html)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_whole_and_has_one_heading_a_title_and_a_language(name: str) -> None:
    page = read(name)
    assert page.all("html") == [{"lang": "en"}]
    assert len(page.all("h1")) == 1
    assert len(page.all("main")) == 1
    assert len(page.all("title")) == 1
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("name", PAGES)
def test_a_page_has_no_inline_style_and_no_inline_script(name: str) -> None:
    page = read(name)
    assert page.all("style") == []
    for _, attrs in page.tags:
        assert not [attr for attr in attrs if attr == "style" or attr.startswith("on")]
        assert not (attrs.get("href") or "").startswith("javascript:")
    assert all(attrs.get("src") for attrs in page.all("script"))


@pytest.mark.parametrize("name", PAGES)
def test_only_the_pay_page_and_the_waiting_page_have_scripts(name: str) -> None:
    sources = [re.sub(r"\.[0-9a-f]{16}", "", attrs["src"] or "") for attrs in read(name).all("script")]
    if name in PAY_PAGES:
        assert sources == ["/gallery_stripe.js", "/static/pay.js"]
        assert all(attrs["nonce"] == samples.NONCE for attrs in read(name).all("script"))
    else:
        assert sources == (["/static/checking.js"] if name.endswith("checking") else [])


@pytest.mark.parametrize("name", PAGES)
def test_no_page_names_till_or_holds_an_unfilled_place(name: str) -> None:
    text = read(name).text
    # The page of the API is for who runs Till; all others are a merchant's own.
    assert name == "api" or not re.search(r"\bTill\b", text)
    assert "None" not in text
    assert "{{" not in EXHIBITS[name].html


def test_the_pay_page_reads_from_money_to_button_in_one_order() -> None:
    assert read("pay-subscribe").text == (
        "Subscribe and pay $49.00 to Pinewood Studio Pinewood Studio Studio membership $49.00 USD "
        "due today. Then $49.00 a month from 14 April 2027. "
        "Later charges 14 April 2027 every month, until you cancel $49.00 "
        "Contact Email Your receipt goes here Name "
        "Payment Encrypted, handled by Stripe Try again "
        "To keep card data safe, paying needs JavaScript. Turn it on and reload, or ask Pinewood Studio for another "
        "way. "
        "By paying you agree that Pinewood Studio stores this payment method and charges it $49.00 every month, "
        "starting 14 April 2027, until you cancel. You can cancel at any time by the link in each receipt. "
        "Subscribe and pay $49.00 Your card statement will show PINEWOOD STUDIO. "
        "Contact Pinewood Studio Terms Refunds Privacy"
    )


def test_a_single_line_needs_no_list() -> None:
    html = EXHIBITS["pay-once"].html
    assert "<table" not in html
    assert "<details" not in html
    assert "Ninety minutes in the studio, ten retouched pictures." in html


def test_one_line_of_several_pieces_says_how_many() -> None:
    prints = replace(samples.ONE_TIME, lines=(LineView("Portrait session", 3, usd(2000), usd(6000)),))
    assert "3 × $20.00" in Reader(render.render_pay_page(prints)).text


def test_several_lines_fold_and_add_up_as_printed() -> None:
    text = read("pay-cart").text
    assert (
        "Details of 4 items What you pay today "
        "Portrait session $120.00 "
        "Prints, 20 x 30 cm 3 × $20.00 Ten percent off prints −$6.00 $60.00 "
        "Studio membership every month, 12 payments $49.00 "
        "Archive All negatives, scanned and kept. $200.00 a year from 14 April 2027 $0.00 "
        "Subtotal $229.00 Discount −$6.00 Discount SPRING −$55.75 Delivery $5.00 Sales tax 8.875% $10.11 "
        "Due today (USD) $182.36 "
        "Later charges 14 April 2027 Studio membership, every month, 11 more $53.35 "
        "14 April 2027 Archive, every year, until you cancel $217.75"
    ) in text


def test_inclusive_tax_stands_under_the_total_and_adds_nothing() -> None:
    assert "Day pass €49.00 due today. includes VAT 20%: €8.17" in read("pay-vat").text


def test_nothing_due_today_says_so_and_subscribes_for_the_later_price() -> None:
    text = read("pay-nothing-today").text
    assert "$0.00 USD due today. Then $49.00 a month from 1 May 2027." in text
    assert text.count("Subscribe for $49.00 a month") == 2
    assert text.startswith("Subscribe for $49.00 a month at Pinewood Studio")
    form = read("pay-nothing-today").all("form")[0]
    assert (form["data-mode"], form["data-amount"], form["data-store"]) == ("setup", "0", "off_session")


def test_the_form_carries_what_the_script_and_the_server_need() -> None:
    page = read("pay-subscribe")
    form = page.all("form")[0]
    assert (form["method"], form["action"]) == ("post", "/pay/pinewood-studio/01J")
    assert "novalidate" in form
    assert form["data-key"] == "pk_test_1"
    assert form["data-account"] == "acct_1"
    assert (form["data-mode"], form["data-amount"], form["data-currency"]) == ("payment", "4900", "usd")
    assert (form["data-store"], form["data-methods"], form["data-locale"]) == ("off_session", "card", "en")
    assert form["data-checking"] == "/checking/pinewood-studio/01J"
    assert {attrs["name"]: attrs["value"] for attrs in page.all("input")} == {
        "form_token": "token",
        "expected_total": "4900",
        "consent": "2027-02",
        "email": "",
        "name": "",
    }


def test_a_single_payment_asks_for_no_consent() -> None:
    page = read("pay-once")
    assert "agree" not in page.text
    assert [attrs["name"] for attrs in page.all("input")] == ["form_token", "expected_total", "email", "name"]


def test_each_problem_stands_in_the_summary_and_under_its_field_with_the_text_kept() -> None:
    page = read("pay-errors")
    text = page.text
    assert text.startswith("Error: Subscribe and pay $49.00 to Pinewood Studio")
    message = "Enter an e-mail address with an @, like name@example.com"
    assert f"There are 2 things to fix {message} Enter your name" in text
    assert text.count(message) == 2
    email, name = page.all("input")[-2:]
    assert email["value"] == "anna.example.com"
    assert (email["aria-invalid"], email["aria-describedby"]) == ("true", "email-error email-hint")
    assert (name["aria-invalid"], name["aria-describedby"]) == ("true", "name-error")
    assert {"#email", "#name"} <= {attrs.get("href") for attrs in page.all("a")}
    focused = [attrs for _, attrs in page.tags if "autofocus" in attrs]
    assert [(attrs["id"], attrs["role"], attrs["tabindex"]) for attrs in focused] == [("errors", "alert", "-1")]


def test_one_problem_is_one_thing() -> None:
    html = render.render_pay_page(replace(samples.FIELD_ERRORS, errors=samples.FIELD_ERRORS.errors[:1]))
    assert "There is 1 thing to fix" in html


def test_a_decline_stands_above_the_card_form_with_the_form_kept() -> None:
    page = read("pay-declined")
    assert (
        "Payment Encrypted, handled by Stripe Your bank declined this card. There is not enough money available on it, "
        "or it has reached a limit. You have not been charged. Use another card."
    ) in page.text
    focused = [attrs for _, attrs in page.tags if "autofocus" in attrs]
    assert [(attrs["id"], attrs["role"]) for attrs in focused] == [("decline", "alert")]
    assert [attrs["value"] for attrs in page.all("input")[-2:]] == ["anna@example.com", "Anna Kowalska"]


def test_a_changed_order_is_announced_with_the_new_total_in_place() -> None:
    assert (
        "The order has changed. Look at the amounts and dates before you pay. You have not been charged."
        in read("pay-changed").text
    )


@pytest.mark.parametrize(
    ("name", "heading"),
    [
        ("receipt-paid", "Paid. Thank you, Anna We sent a receipt to anna@example.com."),
        (
            "receipt-stored",
            "All set. Nothing is due today. First charge: $49.00 on 1 May 2027. We sent the details to "
            "anna@example.com.",
        ),
        (
            "receipt-bank",
            "Your bank payment is on its way. Your bank confirms it within 4 business days. You do not need to do "
            "anything, and you should not pay again. We will write to anna@example.com when it arrives, or if it "
            "fails.",
        ),
    ],
)
def test_the_receipt_says_how_it_ended(name: str, heading: str) -> None:
    assert heading in read(name).text


def test_the_receipt_lists_what_the_buyer_keeps() -> None:
    page = read("receipt-paid")
    assert (
        "Amount $49.00 USD For Studio membership Date 14 March 2027 Method Visa ending 4242 Invoice INV-0001 "
        "Next charge $49.00 on 14 April 2027 every month, until you cancel"
    ) in page.text
    assert {attrs.get("href") for attrs in page.all("a")} >= {
        "/invoice/pinewood-studio/01J",
        "/cancel/pinewood-studio/01J",
        "https://pinewood.example/",
    }


def test_each_of_several_subscriptions_has_its_own_way_out() -> None:
    charges = tuple(
        replace(charge, cancel_url=f"/cancel/{place}") for place, charge in enumerate(samples.CART.later_charges)
    )
    page = Reader(render.render_receipt_page(replace(samples.PAID, later_charges=charges, cancel_url=None)))
    assert "Cancel Studio membership" in page.text
    assert "Cancel Archive" in page.text
    assert {"/cancel/0", "/cancel/1"} <= {attrs.get("href") for attrs in page.all("a")}


@pytest.mark.parametrize("payer", [None, "", "  "])
def test_a_receipt_without_a_name_thanks_without_one(payer: str | None) -> None:
    page = Reader(render.render_receipt_page(replace(samples.PAID, payer_name=payer)))
    assert "Paid. Thank you We sent" in page.text


def test_the_waiting_page_works_without_script_and_offers_no_second_payment() -> None:
    page = read("checking")
    assert (
        "We are checking your payment. Do not pay again. This page updates by itself; you may also close it, and we "
        "will write to anna@example.com."
    ) in page.text
    assert '<noscript><meta http-equiv="refresh" content="8;url=/checking/pinewood-studio/01J"></noscript>' in (
        EXHIBITS["checking"].html
    )
    assert page.all("form") == []


@pytest.mark.parametrize(
    ("name", "title", "pays"),
    [
        ("invoice-open", "Invoice INV-0042, $2,436.73 due", True),
        ("invoice-overdue", "Invoice INV-0042, $2,436.73 overdue", True),
        ("invoice-part-paid", "Invoice INV-0042, $1,436.73 due", True),
        ("invoice-paid", "Invoice INV-0042, paid", False),
        ("invoice-on-its-way", "Invoice INV-0042, payment on its way", False),
        ("invoice-void", "Invoice INV-0042, cancelled", False),
    ],
)
def test_an_invoice_offers_payment_only_while_something_can_be_paid(name: str, title: str, pays: bool) -> None:
    page = read(name)
    assert page.text.startswith(title)
    links = [attrs.get("href") for attrs in page.all("a")]
    assert ("/pay/pinewood-studio/01J" in links) is pays
    assert (" Pay $" in page.text) is pays


def test_an_invoice_on_its_way_offers_no_second_payment_even_if_it_could() -> None:
    html = render.render_invoice_page(replace(samples.INVOICE_ON_ITS_WAY, pay_url="/pay/pinewood-studio/01J"))
    assert "/pay/pinewood-studio/01J" not in html


def test_the_paper_adds_up_from_lines_to_amount_due() -> None:
    assert (
        "Subtotal $2,244.10 Discount −$6.00 Sales tax 8.875% $198.63 Total $2,436.73 "
        "Paid 1 March 2027 with Visa ending 4242 −$1,000.00 Amount due (USD) $1,436.73 Thank you for working with us."
    ) in read("invoice-part-paid").text


def test_a_refund_is_told_beside_the_paid_amount_and_makes_nothing_due() -> None:
    text = read("invoice-paid").text
    assert "Paid 5 March 2027 with Visa ending 4242 $60.00 refunded on 20 March 2027" in text
    assert "Paid 5 March 2027 with Visa ending 4242 −$2,436.73 Amount due (USD) $0.00" in text


def test_a_receipt_tells_of_what_went_back() -> None:
    text = read("receipt-refunded").text
    assert "Amount $148.00 USD Refunded $60.00 on 20 March 2027 For Portrait session" in text
    assert "Refunded" not in read("receipt-once").text


def test_cancelling_says_what_ends_when_and_offers_both_ways_out() -> None:
    page = read("cancel")
    assert (
        "Cancel Studio membership? You keep it until 14 April 2027. Then it ends, and you are not charged again. "
        "Now $49.00 a month Ends 14 April 2027 After that No more charges "
        "Paid before Stays paid, and is not refunded by cancelling "
        "Reason (optional) Cancel subscription Keep it"
    ) in page.text
    assert page.all("form") == [{"method": "post", "action": "/cancel/pinewood-studio/01J", "novalidate": None}]


def test_cancelled_says_until_when_and_that_no_charge_follows() -> None:
    assert (
        "Studio membership is cancelled. It is yours until 14 April 2027. There are no more charges. We will confirm "
        "it to anna@example.com."
    ) in read("cancelled").text
    ended = Reader(render.render_cancelled_page(replace(samples.CANCELLED, ends_at=None, email=None)))
    assert "Studio membership is cancelled. It has ended. There are no more charges. Back to" in ended.text


def test_an_unknown_address_shows_no_brand_and_no_contact() -> None:
    assert read("state-unknown").text == (
        "We cannot find this page. We cannot find this page. The address may be incomplete. Check it against the "
        "message it came in, or ask the seller for a new link."
    )


def test_our_fault_shows_a_reference_and_nothing_of_the_cause() -> None:
    text = read("state-our-fault").text
    assert "Reference 01J8ZC5R1V3N7Q4T0W2Y6A8B9D Reload Contact Pinewood Studio" in text


@pytest.mark.parametrize("kind", [kind for kind in StateKind if kind is not StateKind.UNKNOWN])
def test_every_state_says_whom_to_ask(kind: StateKind) -> None:
    html = render.render_state_page(StatePage(kind, samples.STUDIO))
    assert 'class="button plain" href="mailto:hello@pinewood.example"' in html


@pytest.mark.parametrize("name", [MARKUP, RIGHT_TO_LEFT, LONG_NAME, "{{ 7 * 7 }}", "&lt;b&gt;", '"><img src=x>'])
def test_names_are_text_wherever_they_stand(name: str) -> None:
    merchant = replace(samples.STUDIO, name=name, legal_name=name, address_lines=(name,), statement_name=name)
    lines = tuple(replace(line, name=name, description=name, discount_name=name) for line in samples.CART.lines)
    charges = tuple(replace(charge, name=name) for charge in samples.CART.later_charges)
    typed = replace(samples.TYPED, email=name, name=name)
    decline = Decline(name, name, charged_known=False)
    buyer = replace(samples.INVOICE.buyer, name=name, company=name, email=name, address_lines=(name,))
    pages = [
        render.render_pay_page(
            replace(samples.CART, merchant=merchant, title=name, lines=lines, later_charges=charges, values=typed,
                    decline=decline, form_token=name, description=name)
        ),
        render.render_receipt_page(
            replace(samples.PAID, merchant=merchant, title=name, payer_name=name, email=name, message=name,
                    later_charges=charges, invoice_number=name)
        ),
        render.render_invoice_page(
            replace(samples.INVOICE, merchant=merchant, lines=lines, buyer=buyer, memo=name, po_number=name)
        ),
        render.render_cancel_page(replace(samples.CANCEL, merchant=merchant, subscription_name=name, reason=name)),
        render.render_cancelled_page(replace(samples.CANCELLED, merchant=merchant, subscription_name=name)),
        render.render_checking_page(replace(samples.CHECKING, merchant=merchant, email=name)),
        *(render.render_state_page(StatePage(kind, merchant, reference=name)) for kind in StateKind),
    ]  # fmt: skip
    for html in pages:
        page = Reader(html)
        assert "alert(" not in re.sub(r"&lt;script&gt;alert\(&#34;x&#34;\)", "", html)
        assert page.all("b") == []
        assert page.all("img") == []
        assert "49 }}" not in html


def test_a_right_to_left_merchant_does_not_turn_the_title_around() -> None:
    html = render.render_pay_page(replace(samples.ONE_TIME, merchant=replace(samples.STUDIO, name=RIGHT_TO_LEFT)))
    assert "<title>Pay $148.00 to \u2068סטודיו אורן\u2069</title>" in html


def test_a_merchant_without_contact_or_terms_has_no_footer() -> None:
    bare = replace(
        samples.STUDIO, support_email=None, terms_url=None, refunds_url=None, privacy_url=None, statement_name=None
    )
    page = Reader(render.render_pay_page(replace(samples.ONE_TIME, merchant=bare)))
    assert page.all("footer") == []
    assert "statement" not in page.text


def test_a_logo_is_named_after_its_merchant() -> None:
    merchant = replace(samples.STUDIO, logo_url="/logo/1.png")
    page = Reader(render.render_pay_page(replace(samples.ONE_TIME, merchant=merchant)))
    assert page.all("img") == [{"class": "logo", "src": "/logo/1.png", "alt": "Pinewood Studio"}]


def test_a_cancelled_invoice_says_so_on_its_paper_and_still_adds_up() -> None:
    text = read("invoice-void").text
    assert "Invoice INV-0042 Cancelled 6 March 2027 From" in text
    assert "Total $2,436.73 Cancelled −$2,436.73 Amount due (USD) $0.00" in text


def test_a_paid_invoice_says_when_on_its_paper() -> None:
    assert "Invoice INV-0042 Paid 5 March 2027 From" in read("invoice-paid").text
