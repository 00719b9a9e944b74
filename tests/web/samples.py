"""Sample pages and mails of one studio, for the rendering tests and the gallery."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

from chalicelib.domain.billing.recurrence import Frequency, Recurrence, Start, StartType
from chalicelib.domain.money.amounts import Money
from chalicelib.handlers.api.openapi.document import document
from chalicelib.handlers.api.openapi.reference import reference_page
from chalicelib.web.views.mail import FailedChargeMail, RecoveredMail
from chalicelib.web.views.reference import ReferencePage
from chalicelib.web.views.subscription_mail import SubscriptionMail, SubscriptionNews
from chalicelib.web.words import decline_words
from tests.api_routes import ROUTES
from tests.web.views import (
    CancelledPage,
    CancelPage,
    CheckingPage,
    CheckoutValues,
    DiscountRow,
    FeeRow,
    FieldProblem,
    InvoiceMail,
    InvoicePage,
    InvoiceStanding,
    LaterCharge,
    LineView,
    MerchantView,
    MethodView,
    PaidBefore,
    PartyView,
    PaymentRow,
    PayPage,
    ReceiptMail,
    ReceiptOutcome,
    ReceiptPage,
    RefundMail,
    StateKind,
    StatePage,
    StripeView,
    TaxRow,
    TotalsView,
)

NONCE = "bm9uY2U"
LONG_NAME = ("Brand photography with retouching, licensing and delivery " * 4)[:200]
MARKUP = '<script>alert("x")</script> & <b>co</b>'
RIGHT_TO_LEFT = "\u202eסטודיו אורן\u202c"


def usd(minor: int) -> Money:
    return Money(minor, "usd")


def at(year: int, month: int, day: int, hour: int = 16, minute: int = 0) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=UTC)


STUDIO = MerchantView(
    name="Pinewood Studio",
    slug="pinewood-studio",
    timezone="America/New_York",
    support_email="hello@pinewood.example",
    statement_name="PINEWOOD STUDIO",
    legal_name="Pinewood Studio LLC",
    address_lines=("48 Warren Street", "Hudson, NY 12534", "United States"),
    terms_url="https://pinewood.example/terms",
    refunds_url="https://pinewood.example/refunds",
    privacy_url="https://pinewood.example/privacy",
)
MONTHLY = Recurrence(Frequency.MONTHLY)
YEARLY = Recurrence(Frequency.ANNUALLY)
VISA = MethodView("card", "4242", "visa")
BANK = MethodView("us_bank_account", "6789", "STRIPE TEST BANK")
STRIPE = StripeView(publishable_key="pk_test_1", js_url="https://js.stripe.com/v3/", account="acct_1")
MEMBERSHIP = LaterCharge(usd(4900), Frequency.MONTHLY, at(2027, 4, 14))

ONE_TIME = PayPage(
    merchant=STUDIO,
    title="Portrait session",
    due_today=usd(14800),
    lines=(
        LineView(
            "Portrait session", 1, usd(14800), usd(14800), "Ninety minutes in the studio, ten retouched pictures."
        ),
    ),
    totals=TotalsView(usd(14800), usd(14800)),
    stripe=STRIPE,
    nonce=NONCE,
    post_url="/pay/pinewood-studio/01J",
    checking_url="/checking/pinewood-studio/01J",
    form_token="token",
)
SUBSCRIBE = replace(
    ONE_TIME,
    title="Studio membership",
    due_today=usd(4900),
    lines=(LineView("Studio membership", 1, usd(4900), usd(4900), recurring=MONTHLY),),
    totals=TotalsView(usd(4900), usd(4900)),
    later_charges=(MEMBERSHIP,),
    stripe=replace(STRIPE, setup_future_usage="off_session"),
)
CART = replace(
    ONE_TIME,
    title="Spring bundle",
    due_today=usd(18236),
    lines=(
        LineView("Portrait session", 1, usd(12000), usd(12000)),
        LineView(
            "Prints, 20 x 30 cm", 3, usd(2000), usd(6000), discount=usd(600), discount_name="Ten percent off prints"
        ),
        LineView("Studio membership", 1, usd(4900), usd(4900), recurring=Recurrence(Frequency.MONTHLY, 12)),
        LineView(
            "Archive",
            1,
            usd(20000),
            usd(0),
            "All negatives, scanned and kept.",
            recurring=Recurrence(Frequency.ANNUALLY, start=Start(StartType.AFTER_MONTHS, 1)),
            first_charge_at=at(2027, 4, 14),
            regular_amount=usd(20000),
        ),
    ),
    totals=TotalsView(
        usd(22900),
        usd(18236),
        discounts=(DiscountRow(usd(600)), DiscountRow(usd(5575), code="SPRING")),
        fees=(FeeRow("Delivery", usd(500)),),
        taxes=(TaxRow(Decimal("8.875"), False, usd(11390), usd(1011), "Sales tax"),),
    ),
    later_charges=(
        LaterCharge(usd(5335), Frequency.MONTHLY, at(2027, 4, 14), 11, name="Studio membership"),
        LaterCharge(usd(21775), Frequency.ANNUALLY, at(2027, 4, 14), starts_today=False, name="Archive"),
    ),
    stripe=replace(STRIPE, setup_future_usage="off_session"),
)
NOTHING_TODAY = replace(
    SUBSCRIBE,
    due_today=usd(0),
    lines=(
        LineView(
            "Studio membership",
            1,
            usd(4900),
            usd(0),
            recurring=MONTHLY,
            first_charge_at=at(2027, 5, 1),
            regular_amount=usd(4900),
        ),
    ),
    totals=TotalsView(usd(0), usd(0)),
    later_charges=(LaterCharge(usd(4900), Frequency.MONTHLY, at(2027, 5, 1), starts_today=False),),
    stripe=replace(STRIPE, mode="setup", setup_future_usage="off_session"),
)
LONG = replace(
    CART,
    title=LONG_NAME,
    merchant=replace(STUDIO, name=LONG_NAME),
    lines=tuple(replace(line, name=LONG_NAME, description=LONG_NAME) for line in CART.lines),
)
VAT = replace(
    ONE_TIME,
    title="Day pass",
    due_today=Money(4900, "eur"),
    lines=(LineView("Day pass", 1, Money(4900, "eur"), Money(4900, "eur")),),
    totals=TotalsView(
        Money(4900, "eur"),
        Money(4900, "eur"),
        taxes=(TaxRow(Decimal("20"), True, Money(4083, "eur"), Money(817, "eur"), "VAT"),),
    ),
)
FIELD_ERRORS = replace(
    SUBSCRIBE,
    values=CheckoutValues("anna.example.com", ""),
    errors=(
        FieldProblem("email", "Enter an e-mail address with an @, like name@example.com"),
        FieldProblem("name", "Enter your name"),
    ),
)
TYPED = CheckoutValues("anna@example.com", "Anna Kowalska")
DECLINED = replace(SUBSCRIBE, values=TYPED, decline=decline_words("card_declined", "insufficient_funds"))
CHANGED = replace(SUBSCRIBE, values=TYPED, changed=True)
TIMED_OUT = replace(ONE_TIME, timed_out=True)
PAID_BEFORE = replace(
    ONE_TIME,
    paid_before=PaidBefore(usd(14800), at(2027, 3, 14), "https://till.example/receipt/pinewood-studio/chk"),
)

PAID = ReceiptPage(
    merchant=STUDIO,
    outcome=ReceiptOutcome.PAID,
    title="Studio membership",
    amount=usd(4900),
    at=at(2027, 3, 14),
    email="anna@example.com",
    payer_name="Anna Kowalska",
    method=VISA,
    invoice_number="INV-0001",
    invoice_url="/invoice/pinewood-studio/01J",
    later_charges=(MEMBERSHIP,),
    cancel_url="/cancel/pinewood-studio/01J",
    message="The door code comes by text on the day before your first visit.",
    back_url="https://pinewood.example/",
)
PAID_ONCE = replace(
    PAID, title="Portrait session", amount=usd(14800), later_charges=(), cancel_url=None, message=None, back_url=None
)
PAID_AND_REFUNDED = replace(PAID_ONCE, refunds=(PaymentRow(at(2027, 3, 20), usd(6000), refunded=True),))
STORED = replace(
    PAID,
    outcome=ReceiptOutcome.STORED,
    amount=usd(0),
    invoice_number=None,
    invoice_url=None,
    later_charges=NOTHING_TODAY.later_charges,
    message=None,
)
ON_ITS_WAY = replace(PAID_ONCE, outcome=ReceiptOutcome.BANK_DEBIT, method=BANK)
CHECKING = CheckingPage(
    merchant=STUDIO,
    status_url="/checking/pinewood-studio/01J/status",
    self_url="/checking/pinewood-studio/01J",
    amount=usd(4900),
    email="anna@example.com",
)

INVOICE = InvoicePage(
    merchant=STUDIO,
    number="INV-0042",
    standing=InvoiceStanding.OPEN,
    buyer=PartyView("Anna Kowalska", "anna@example.com", "Kowalska Ceramics", ("7 Union Street", "Troy, NY 12180")),
    issued_at=at(2027, 2, 12),
    due_at=at(2027, 3, 14),
    now=at(2027, 3, 5),
    lines=(
        LineView("Product photography", 12, usd(15000), usd(180000), "Forty pieces on white, six scenes."),
        LineView(
            "Prints, 20 x 30 cm", 3, usd(2000), usd(6000), discount=usd(600), discount_name="Ten percent off prints"
        ),
        LineView(
            "Studio membership",
            1,
            usd(38410),
            usd(38410),
            recurring=MONTHLY,
            period_start=at(2027, 2, 12),
            period_end=at(2027, 3, 12),
        ),
    ),
    totals=TotalsView(
        usd(224410),
        usd(243673),
        discounts=(DiscountRow(usd(600)),),
        taxes=(TaxRow(Decimal("8.875"), False, usd(223810), usd(19863), "Sales tax"),),
    ),
    amount_due=usd(243673),
    amount_paid=usd(0),
    pay_url="/pay/pinewood-studio/01J",
    memo="Thank you for working with us.",
    po_number="PO 7731",
)
OVERDUE = replace(INVOICE, now=at(2027, 3, 20))
ADJUSTED = replace(
    INVOICE,
    lines=(
        LineView(
            "Studio membership, large",
            1,
            usd(7900),
            usd(7900),
            recurring=MONTHLY,
            period_start=at(2027, 3, 12),
            period_end=at(2027, 4, 12),
        ),
        LineView("Unused time: Studio membership", 1, usd(-2450), usd(-2450)),
        LineView("Remaining time: Studio membership, large", 1, usd(3950), usd(3950)),
    ),
    totals=TotalsView(usd(9400), usd(9400)),
    credited=usd(1500),
    amount_due=usd(7900),
    memo=None,
    po_number=None,
)
PART_PAID = replace(
    INVOICE,
    amount_due=usd(143673),
    amount_paid=usd(100000),
    payments=(PaymentRow(at(2027, 3, 1), usd(100000), VISA),),
)
INVOICE_PAID = replace(
    INVOICE,
    standing=InvoiceStanding.PAID,
    amount_due=usd(0),
    amount_paid=usd(237673),
    payments=(
        PaymentRow(at(2027, 3, 5), usd(243673), VISA),
        PaymentRow(at(2027, 3, 20), usd(6000), VISA, refunded=True),
    ),
    paid_at=at(2027, 3, 5),
    method=VISA,
    pay_url=None,
)
INVOICE_ON_ITS_WAY = replace(INVOICE, standing=InvoiceStanding.ON_ITS_WAY, pay_url=None)
INVOICE_VOID = replace(
    INVOICE, standing=InvoiceStanding.VOID, amount_due=usd(0), voided_at=at(2027, 3, 6), pay_url=None
)

CANCEL = CancelPage(
    merchant=STUDIO,
    subscription_name="Studio membership",
    amount=usd(4900),
    frequency=Frequency.MONTHLY,
    post_url="/cancel/pinewood-studio/01J",
    keep_url="/receipt/pinewood-studio/01J",
    form_token="token",
    ends_at=at(2027, 4, 14),
)
CANCELLED = CancelledPage(STUDIO, "Studio membership", at(2027, 4, 14), "anna@example.com", "https://pinewood.example/")

STATES = {
    "unknown": StatePage(StateKind.UNKNOWN),
    "link-off": StatePage(StateKind.LINK_OFF, STUDIO),
    "link-expired": StatePage(StateKind.LINK_EXPIRED, STUDIO, at(2027, 4, 1, 3)),
    "sold-out": StatePage(StateKind.SOLD_OUT, STUDIO),
    "already-paid": StatePage(StateKind.ALREADY_PAID, STUDIO, at(2027, 3, 5)),
    "cannot-transact": StatePage(StateKind.CANNOT_TRANSACT, STUDIO),
    "timed-out": StatePage(StateKind.CHECKOUT_TIMED_OUT, STUDIO, again_url="/pay/pinewood-studio/01J"),
    "too-many-tries": StatePage(
        StateKind.TOO_MANY_TRIES, STUDIO, at(2027, 4, 1, 18, 35), again_url="/pay/pinewood-studio/01J"
    ),
    "cancel-over": StatePage(StateKind.CANCEL_LINK_OVER, STUDIO),
    "sign-in-over": StatePage(StateKind.SIGN_IN_OVER, STUDIO, again_url="/portal/pinewood-studio"),
    "link-paused": StatePage(StateKind.LINK_PAUSED, STUDIO, at(2027, 4, 1, 18, 35)),
    "other-site": StatePage(StateKind.OTHER_SITE),
    "not-read": StatePage(StateKind.NOT_READ),
    "not-now": StatePage(StateKind.NOT_NOW),
    "our-fault": StatePage(
        StateKind.OUR_FAULT, STUDIO, again_url="/pay/pinewood-studio/01J", reference="01J8ZC5R1V3N7Q4T0W2Y6A8B9D"
    ),
    "our-fault-bare": StatePage(StateKind.OUR_FAULT, reference="01J8ZC5R1V3N7Q4T0W2Y6A8B9D"),
}

RECEIPT_MAIL = ReceiptMail(
    merchant=STUDIO,
    outcome=ReceiptOutcome.PAID,
    amount=usd(4900),
    at=at(2027, 3, 14),
    email="anna@example.com",
    receipt_url="https://pay.example/receipt/pinewood-studio/01J",
    lines=SUBSCRIBE.lines,
    totals=SUBSCRIBE.totals,
    payer_name="Anna Kowalska",
    method=VISA,
    invoice_number="INV-0001",
    invoice_url="https://pay.example/invoice/pinewood-studio/01J",
    later_charges=(MEMBERSHIP,),
    cancel_url="https://pay.example/cancel/pinewood-studio/01J",
)
INVOICE_MAIL = InvoiceMail(
    merchant=STUDIO,
    amount=INVOICE.amount_due,
    due_at=INVOICE.due_at,
    email="anna@example.com",
    invoice_url="https://pay.example/invoice/pinewood-studio/01J",
    invoice_number=INVOICE.number,
    lines=INVOICE.lines,
    totals=INVOICE.totals,
)
CART_MAIL = replace(
    RECEIPT_MAIL, amount=CART.due_today, lines=CART.lines, totals=CART.totals, later_charges=CART.later_charges
)
ONCE_MAIL = replace(
    RECEIPT_MAIL,
    amount=usd(14800),
    lines=ONE_TIME.lines,
    totals=ONE_TIME.totals,
    later_charges=(),
    cancel_url=None,
)
BANK_MAIL = replace(ONCE_MAIL, outcome=ReceiptOutcome.BANK_DEBIT, method=BANK, invoice_number=None, invoice_url=None)
STORED_MAIL = replace(
    RECEIPT_MAIL,
    outcome=ReceiptOutcome.STORED,
    amount=usd(0),
    lines=NOTHING_TODAY.lines,
    totals=NOTHING_TODAY.totals,
    later_charges=NOTHING_TODAY.later_charges,
    invoice_number=None,
    invoice_url=None,
)
REFUND_MAIL = RefundMail(
    merchant=STUDIO,
    amount=usd(14800),
    at=at(2027, 3, 20),
    email="anna@example.com",
    url="https://pay.example/invoice/pinewood-studio/01J",
    invoice_number="INV-0001",
    method=VISA,
)
UPCOMING_MAIL = SubscriptionMail(
    merchant=STUDIO,
    news=SubscriptionNews.UPCOMING,
    name="Studio membership",
    told_at=at(2027, 3, 31),
    email="anna@example.com",
    url="https://pay.example/portal/pinewood-studio/subscriptions/sub_01J",
    at=at(2027, 4, 14),
    amount=usd(4900),
    frequency=Frequency.MONTHLY,
    method=VISA,
)
SUBSCRIPTION_MAILS = {
    "upcoming": UPCOMING_MAIL,
    "upcoming-sent": replace(UPCOMING_MAIL, sent=True, method=None),
    "changed": replace(UPCOMING_MAIL, news=SubscriptionNews.CHANGED, amount=usd(5900), before=usd(4900)),
    "canceled": replace(UPCOMING_MAIL, news=SubscriptionNews.CANCELED, amount=None),
    "canceled-now": replace(UPCOMING_MAIL, news=SubscriptionNews.CANCELED, amount=None, at=None),
    "ended": replace(UPCOMING_MAIL, news=SubscriptionNews.ENDED, amount=None, at=None),
    "paid-up": replace(UPCOMING_MAIL, news=SubscriptionNews.ENDED, amount=None, at=None, paid_up=True),
    "paused": replace(UPCOMING_MAIL, news=SubscriptionNews.PAUSED, amount=None),
    "paused-open": replace(UPCOMING_MAIL, news=SubscriptionNews.PAUSED, amount=None, at=None),
}
FAILED_MAIL = FailedChargeMail(
    merchant=STUDIO,
    amount=usd(4900),
    at=at(2027, 4, 14),
    email="anna@example.com",
    pay_url="https://pay.example/invoice/pinewood-studio/01J/pay",
    invoice_url="https://pay.example/invoice/pinewood-studio/01J",
    invoice_number="INV-0002",
    code="card_declined",
    decline_code="insufficient_funds",
    until=at(2027, 4, 21),
)
RETRYING_MAIL = replace(FAILED_MAIL, next_at=at(2027, 4, 17), until=None)
CONFIRM_MAIL = replace(FAILED_MAIL, asks_bank=True)
RECOVERED_MAIL = RecoveredMail(
    merchant=STUDIO,
    amount=usd(4900),
    at=at(2027, 4, 17),
    email="anna@example.com",
    invoice_url="https://pay.example/invoice/pinewood-studio/01J",
    invoice_number="INV-0002",
)
LONG_MAIL = replace(
    CART_MAIL,
    merchant=LONG.merchant,
    lines=tuple(replace(LONG.lines[0], name=LONG_NAME) for _ in range(200)),
)


def api_reference() -> ReferencePage:
    """The API as it is."""
    return reference_page(document(ROUTES, "https://pay.example.com"), "https://pay.example.com/v1/openapi.json")
