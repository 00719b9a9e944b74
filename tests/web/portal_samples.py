"""Sample pages and mails of the portal of one studio, for the rendering tests and the gallery."""

from __future__ import annotations

from dataclasses import replace

from chalicelib.domain.billing.recurrence import Frequency
from chalicelib.domain.machines import SubscriptionStatus
from chalicelib.web.views.mail import SignInMail
from chalicelib.web.views.portal import (
    Action,
    Attention,
    HomePage,
    InvoiceRow,
    LinkSentPage,
    OpenPage,
    SignInPage,
    SubscriptionCard,
    SubscriptionPage,
)
from chalicelib.web.words import decline_words
from chalicelib.web.words.fields import EMAIL_NO_AT
from chalicelib.web.words.portal import too_many_links_words
from tests.web.samples import LONG_NAME, RIGHT_TO_LEFT, STUDIO, SUBSCRIBE, VISA, at, usd
from tests.web.views import CheckingPage, FieldProblem, InvoiceStanding, LineView, TotalsView

_PORTAL = "/portal/pinewood-studio"
_OUT = Action(f"{_PORTAL}/out", "token")
_HERE = f"{_PORTAL}/subscriptions/sub_01J"

SIGN_IN = SignInPage(merchant=STUDIO, post_url=_PORTAL, form_token="token")
SIGN_IN_ERROR = replace(SIGN_IN, email="anna", errors=(FieldProblem("email", EMAIL_NO_AT),))
SIGN_IN_TOO_MANY = replace(
    SIGN_IN, email="anna@example.com", decline=too_many_links_words(at(2027, 4, 1, 18, 35), STUDIO.timezone)
)
SIGN_IN_AGAIN = replace(SIGN_IN, again=True)
SENT = LinkSentPage(STUDIO, _PORTAL, 15)
OPEN = OpenPage(STUDIO, f"{_PORTAL}/open/01J", "token")

ACTIVE = SubscriptionCard(
    name="Studio membership",
    status=SubscriptionStatus.ACTIVE,
    amount=usd(4900),
    frequency=Frequency.MONTHLY,
    since=at(2026, 11, 14),
    url=_HERE,
    next_at=at(2027, 4, 14),
    method=VISA,
    method_url=f"{_HERE}/method",
    cancel_url=f"{_HERE}/cancel",
)
BEHIND = replace(ACTIVE, status=SubscriptionStatus.PAST_DUE, owed=usd(9800))
ENDING = replace(
    ACTIVE, next_at=None, ends_at=at(2027, 4, 14), cancel_url=None, resume=Action(f"{_HERE}/resume", "token")
)
ARCHIVE = replace(
    ACTIVE, name="Archive", amount=usd(20000), frequency=Frequency.ANNUALLY, next_at=at(2028, 1, 5), cancel_url=None
)
PAUSED = replace(ACTIVE, name="Lab hours", status=SubscriptionStatus.PAUSED, next_at=None, resumes_at=at(2027, 6, 1))
ENDED = replace(
    ACTIVE,
    name="Print club",
    status=SubscriptionStatus.CANCELED,
    next_at=None,
    ended_at=at(2027, 2, 3),
    method_url=None,
    cancel_url=None,
)
UNPAID = replace(ACTIVE, status=SubscriptionStatus.UNPAID, owed=usd(14700), next_at=None)
WITHOUT_METHOD = replace(ACTIVE, method=None, owed=usd(4900))
SENT_BY_MAIL = replace(ACTIVE, name="Retouching", sent=True, method=None, method_url=None, amount=usd(129_900))
STARTS = replace(ACTIVE, name="Summer school", status=SubscriptionStatus.SCHEDULED, next_at=at(2027, 7, 1))

PAID_ROW = InvoiceRow("INV-0041", at(2027, 3, 14), InvoiceStanding.PAID, usd(4900), "/invoice/1")
OPEN_ROW = InvoiceRow(
    "INV-0042", at(2027, 3, 15), InvoiceStanding.OPEN, usd(4900), "/invoice/2", usd(4900), pay_url="/invoice/2/pay"
)
LATE_ROW = replace(OPEN_ROW, number="INV-0040", issued_at=at(2027, 2, 14), overdue=True)
CHARGED_ROW = replace(OPEN_ROW, standing=InvoiceStanding.ON_ITS_WAY, due=None, pay_url=None)
ROWS = (
    OPEN_ROW,
    PAID_ROW,
    replace(PAID_ROW, number="INV-0039", issued_at=at(2027, 1, 5), amount=usd(20000)),
    replace(PAID_ROW, number="INV-0038", issued_at=at(2026, 12, 14), standing=InvoiceStanding.VOID),
    replace(PAID_ROW, number="INV-0037", issued_at=at(2026, 12, 1), standing=InvoiceStanding.ON_ITS_WAY),
)

HOME = HomePage(
    merchant=STUDIO,
    email="anna@example.com",
    sign_out=_OUT,
    subscriptions=(ACTIVE, ARCHIVE, PAUSED, ENDED),
    invoices=ROWS[1:],
    older_url=f"{_PORTAL}?before=inv_01J",
)
HOME_BEHIND = replace(
    HOME,
    subscriptions=(BEHIND, ARCHIVE),
    invoices=(OPEN_ROW, LATE_ROW, PAID_ROW),
    attention=Attention(f"{_HERE}/method", usd(9800), card=BEHIND),
    older_url=None,
)
HOME_OVERDUE = replace(
    HOME,
    subscriptions=(SENT_BY_MAIL,),
    invoices=(LATE_ROW, PAID_ROW),
    attention=Attention("/invoice/2/pay", usd(4900), invoice=LATE_ROW),
    older_url=None,
)
HOME_NO_METHOD = replace(
    HOME,
    subscriptions=(WITHOUT_METHOD, STARTS),
    invoices=(OPEN_ROW,),
    attention=Attention(f"{_HERE}/method", usd(4900), card=WITHOUT_METHOD),
    older_url=None,
)
HOME_EMPTY = replace(HOME, subscriptions=(), invoices=(), older_url=None)
HOME_LONG = replace(
    HOME_BEHIND,
    merchant=replace(STUDIO, name=LONG_NAME),
    subscriptions=(
        replace(BEHIND, name=LONG_NAME, amount=usd(99_999_999)),
        replace(ARCHIVE, name=RIGHT_TO_LEFT),
        UNPAID,
    ),
    attention=Attention(f"{_HERE}/method", usd(99_999_999), card=replace(BEHIND, name=LONG_NAME)),
    invoices=tuple(replace(row, amount=usd(99_999_999)) for row in ROWS),
)

SUBSCRIPTION = SubscriptionPage(
    merchant=STUDIO,
    email="anna@example.com",
    sign_out=_OUT,
    home_url=_PORTAL,
    card=ACTIVE,
    invoices=(PAID_ROW, replace(PAID_ROW, number="INV-0033", issued_at=at(2027, 2, 14))),
)
SUBSCRIPTION_BEHIND = replace(
    SUBSCRIPTION,
    card=BEHIND,
    attention=Attention(f"{_HERE}/method", usd(9800), card=BEHIND),
    invoices=(OPEN_ROW, LATE_ROW, PAID_ROW),
)
SUBSCRIPTION_ENDING = replace(SUBSCRIPTION, card=ENDING)
SUBSCRIPTION_ENDED = replace(SUBSCRIPTION, card=ENDED)
SUBSCRIPTION_STORED = replace(SUBSCRIPTION, stored=True)
SUBSCRIPTION_CHARGING = replace(
    SUBSCRIPTION,
    card=replace(BEHIND, owed=None),
    stored=True,
    charging=usd(9800),
    invoices=(CHARGED_ROW, replace(CHARGED_ROW, number="INV-0040", issued_at=at(2027, 2, 14)), PAID_ROW),
)
SUBSCRIPTION_AGAIN = replace(SUBSCRIPTION, again=True)

METHOD = replace(
    SUBSCRIBE,
    due_today=usd(0),
    lines=(),
    totals=TotalsView(usd(0), usd(0)),
    stripe=replace(SUBSCRIBE.stripe, mode="setup", setup_future_usage=None),
    billed_to="Anna Kowalska",
    values=replace(SUBSCRIBE.values, email="anna@example.com", name="Anna Kowalska"),
    replaces="card",
    back_url=_HERE,
)
METHOD_OWED = replace(
    METHOD,
    due_today=usd(9800),
    lines=(
        LineView("Invoice INV-0040", 1, usd(4900), usd(4900), period_start=at(2027, 2, 14), period_end=at(2027, 3, 14)),
        LineView("Invoice INV-0042", 1, usd(4900), usd(4900), period_start=at(2027, 3, 14), period_end=at(2027, 4, 14)),
    ),
    totals=TotalsView(usd(9800), usd(9800)),
)
METHOD_FIRST = replace(METHOD, replaces="nothing")
METHOD_DECLINED = replace(METHOD_OWED, decline=decline_words("card_declined", "insufficient_funds"))
METHOD_CHANGED = replace(METHOD_OWED, changed=True)
METHOD_TIMED_OUT = replace(METHOD, timed_out=True)
METHOD_CHECKING = CheckingPage(STUDIO, f"{_HERE}/method/01J/status", f"{_HERE}/method/01J", card=True)

SIGN_IN_MAIL = SignInMail(STUDIO, "anna@example.com", "https://pay.example/portal/pinewood-studio/open/01J", 15)
METHOD_MAIL = replace(SIGN_IN_MAIL, minutes=24 * 60, subscription_name="Studio membership")
