"""The words: every decline code of the guide, every state, every rhythm."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from chalicelib.domain.billing.recurrence import Frequency, Recurrence
from chalicelib.domain.money.amounts import Money
from chalicelib.web.words import consent_text, decline_words, state_status, too_many_tries_words
from chalicelib.web.words.declines import DECLINES, NOT_CHARGED
from chalicelib.web.words.documents import invoice_status, method_words
from chalicelib.web.words.schedule import (
    button_text,
    due_sentence,
    every,
    line_schedule,
    next_charge_sentence,
    per,
    rule,
)
from chalicelib.web.words.states import state_words
from tests.web import samples
from tests.web.samples import at, usd
from tests.web.views import InvoicePage, LaterCharge, MethodView, StateKind, StatePage

ZONE = "America/New_York"
MONTHLY = samples.MEMBERSHIP
TWELVE = replace(MONTHLY, remaining=11)
LATER = replace(MONTHLY, next_at=at(2027, 5, 1), starts_today=False)
YEARLY = LaterCharge(usd(20000), Frequency.ANNUALLY, at(2028, 3, 14))

LIMIT = (
    "Your bank declined this card.",
    "There is not enough money available on it, or it has reached a limit. You have not been charged. "
    "Use another card.",
)
EXPIRED = (
    "This card has expired, or the date is not right.",
    "You have not been charged. Check the date, or use another card.",
)
CVC = (
    "The security code is not right.",
    "You have not been charged. Check the 3 digits on the back (American Express: 4 on the front) and try again.",
)
NUMBER = ("The card number is not right.", "You have not been charged. Check it and try again.")
ADDRESS = (
    "The address is not the one your bank has.",
    "You have not been charged. Check the postal code and try again.",
)
AUTHENTICATION = (
    "Your bank could not confirm that it is you.",
    "You have not been charged. Try again and approve the payment in your bank's app or message, or use another card.",
)
UNSUPPORTED = (
    "This card cannot be used for this payment.",
    "You have not been charged. Use another card, or ask your bank to allow it.",
)
NO_ANSWER = (
    "Your bank did not answer.",
    "You have not been charged. Wait a minute and try again, or use another card.",
)
NOT_STARTED = (
    "The payment could not be started.",
    "You have not been charged. Wait a minute and try again.",
)
CARD_AGAIN = (
    "The payment could not be started.",
    "You have not been charged. Enter the card again, or use another card.",
)
DUPLICATE = (
    "The same amount was just paid with this card.",
    "Look for a receipt in your e-mail before you try again.",
)
GENERIC = (
    "This card was declined, and we were not told why.",
    "You have not been charged. Use another card, or ask your bank.",
)
TABLE = {
    LIMIT: "insufficient_funds card_velocity_exceeded withdrawal_count_limit_exceeded",
    EXPIRED: "expired_card invalid_expiry_month invalid_expiry_year",
    CVC: "incorrect_cvc invalid_cvc",
    NUMBER: "incorrect_number invalid_number",
    ADDRESS: "incorrect_zip incorrect_address",
    AUTHENTICATION: "authentication_required payment_intent_authentication_failure setup_intent_authentication_failure",
    UNSUPPORTED: "card_not_supported currency_not_supported transaction_not_allowed service_not_allowed",
    NO_ANSWER: "processing_error issuer_not_available try_again_later reenter_transaction approve_with_id",
    DUPLICATE: "duplicate_transaction",
    NOT_STARTED: "not_started",
    CARD_AGAIN: "card_again",
    GENERIC: "generic_decline do_not_honor call_issuer lost_card stolen_card pickup_card restricted_card fraudulent "
    "merchant_blacklist card_declined a_code_of_next_year",
}
CODES = [(code, words) for words, codes in TABLE.items() for code in codes.split()]


@pytest.mark.parametrize(("code", "words"), CODES)
def test_each_code_has_its_words_as_error_code_and_as_decline_code(code: str, words: tuple[str, str]) -> None:
    for decline in (decline_words(code), decline_words("card_declined", code)):
        assert (decline.title, decline.text) == words
        assert decline.charged_known is (NOT_CHARGED in decline.text)


def test_no_code_has_words_that_this_table_does_not_know() -> None:
    assert set(DECLINES) <= {code for code, _ in CODES}


def test_no_code_at_all_is_a_generic_decline() -> None:
    assert decline_words(None).title == GENERIC[0]


def test_only_a_duplicate_does_not_say_that_nothing_was_charged() -> None:
    assert [code for code, _ in CODES if not decline_words(code).charged_known] == ["duplicate_transaction"]


def test_paying_by_bank_is_named_only_where_it_is_offered() -> None:
    assert decline_words("card_declined", "insufficient_funds", or_bank=True).text.endswith(
        "Use another card, or pay by bank account."
    )
    assert decline_words("card_not_supported", or_bank=True).text.endswith(
        "Use another card, or pay by bank account, or ask your bank to allow it."
    )


def test_too_many_tries_says_until_when_and_nothing_about_money() -> None:
    words = too_many_tries_words(datetime(2027, 4, 1, 18, 35, tzinfo=UTC), ZONE)
    assert words.title == "Too many tries."
    assert words.text == "For safety, paying pauses here until 14:35\u00a0(EDT). What you typed is kept."


@pytest.mark.parametrize(
    ("frequency", "after", "rule_words"),
    [
        (Frequency.WEEKLY, "a week", "every week"),
        (Frequency.BIWEEKLY, "every 2\u00a0weeks", "every 2\u00a0weeks"),
        (Frequency.MONTHLY, "a month", "every month"),
        (Frequency.QUARTERLY, "every 3\u00a0months", "every 3\u00a0months"),
        (Frequency.PER_SIX_MONTHS, "every 6\u00a0months", "every 6\u00a0months"),
        (Frequency.ANNUALLY, "a year", "every year"),
        (Frequency.PER_TWO_YEARS, "every 2\u00a0years", "every 2\u00a0years"),
        (Frequency.PER_THREE_YEARS, "every 3\u00a0years", "every 3\u00a0years"),
        (Frequency.PER_FOUR_YEARS, "every 4\u00a0years", "every 4\u00a0years"),
        (Frequency.PER_FIVE_YEARS, "every 5\u00a0years", "every 5\u00a0years"),
    ],
)
def test_each_rhythm_has_words(frequency: Frequency, after: str, rule_words: str) -> None:
    assert (per(frequency), every(frequency)) == (after, rule_words)


@pytest.mark.parametrize(
    ("charges", "sentence"),
    [
        ((), "due today."),
        ((MONTHLY,), "due today. Then $49.00 a month from 14 April 2027."),
        ((TWELVE,), "due today. Then $49.00 a month from 14 April 2027 (11 more)."),
        ((replace(MONTHLY, remaining=1),), "due today. Then $49.00 once more on 14 April 2027."),
        ((LATER,), "due today. Then $49.00 a month from 1 May 2027."),
        ((replace(LATER, remaining=12),), "due today. Then $49.00 a month from 1 May 2027 (12 payments)."),
        ((replace(LATER, remaining=1),), "due today. Then $49.00 on 1 May 2027."),
        ((MONTHLY, YEARLY), "due today. Then $49.00 a month from 14 April 2027 and $200.00 a year from 14 March 2028."),
        (
            (MONTHLY, YEARLY, LATER),
            "due today. Then $49.00 a month from 14 April 2027, $200.00 a year from 14 March 2028, "
            "and $49.00 a month from 1 May 2027.",
        ),
    ],
)
def test_the_sentence_under_the_amount(charges: tuple[LaterCharge, ...], sentence: str) -> None:
    assert due_sentence(charges, ZONE).replace("\u00a0", " ") == sentence


@pytest.mark.parametrize(
    ("charge", "words"),
    [
        (MONTHLY, "every month, until you cancel"),
        (TWELVE, "every month, 11 more"),
        (replace(MONTHLY, remaining=1), "the last payment"),
        (replace(LATER, remaining=12), "every month, 12 payments"),
        (replace(LATER, remaining=1), "1 payment"),
    ],
)
def test_the_rule_of_a_later_charge(charge: LaterCharge, words: str) -> None:
    assert rule(charge).replace("\u00a0", " ") == words


def test_a_line_says_how_it_repeats_and_how_often() -> None:
    assert line_schedule(Recurrence(Frequency.MONTHLY)) == "every month"
    assert line_schedule(Recurrence(Frequency.MONTHLY, 12)) == "every month, 12 payments"
    assert line_schedule(Recurrence(Frequency.MONTHLY, 1)) == "1 payment"


@pytest.mark.parametrize(
    ("due", "charges", "text"),
    [
        (usd(4900), (), "Pay $49.00"),
        (usd(4900), (MONTHLY,), "Subscribe and pay $49.00"),
        (usd(0), (LATER,), "Subscribe for $49.00 a month"),
        (usd(0), (LATER, YEARLY), "Subscribe for $49.00 a month and $200.00 a year"),
        (usd(0), (LATER, YEARLY, MONTHLY), "Subscribe, $0.00 due today"),
    ],
)
def test_the_button_names_act_and_amount(due: Money, charges: tuple[LaterCharge, ...], text: str) -> None:
    assert button_text(due, charges) == text


def test_receipts_name_the_next_charge_of_each_subscription() -> None:
    assert next_charge_sentence((MONTHLY,), ZONE).replace("\u00a0", " ") == "Next charge: $49.00 on 14 April 2027."
    two = (replace(MONTHLY, name="Membership"), replace(LATER, name="Archive"))
    assert next_charge_sentence(two, ZONE).replace("\u00a0", " ") == (
        "Next charge: $49.00 on 14 April 2027, for Membership. First charge: $49.00 on 1 May 2027, for Archive."
    )


@pytest.mark.parametrize(
    ("due", "charges", "sentence"),
    [
        (
            usd(4900),
            (MONTHLY,),
            "By paying you agree that Pinewood Studio stores this payment method and charges it $49.00 every month, "
            "starting 14 April 2027, until you cancel. You can cancel at any time by the link in each receipt.",
        ),
        (
            usd(0),
            (replace(LATER, remaining=12),),
            "By subscribing you agree that Pinewood Studio stores this payment method and charges it $49.00 every "
            "month, starting 1 May 2027, 12 times. You can cancel at any time by the link in each receipt.",
        ),
        (
            usd(4900),
            (TWELVE, YEARLY),
            "By paying you agree that Pinewood Studio stores this payment method and charges it $49.00 every month, "
            "starting 14 April 2027, 11 times; and $200.00 every year, starting 14 March 2028, until you cancel. You "
            "can cancel at any time by the link in each receipt.",
        ),
        (
            usd(4900),
            (replace(MONTHLY, remaining=1),),
            "By paying you agree that Pinewood Studio stores this payment method and charges it $49.00 once, on "
            "14 April 2027. You can cancel at any time by the link in each receipt.",
        ),
    ],
)
def test_the_consent_names_amount_rhythm_start_and_end(
    due: Money, charges: tuple[LaterCharge, ...], sentence: str
) -> None:
    consent = consent_text("Pinewood Studio", due, charges, ZONE)
    assert consent is not None
    assert consent.plain.replace("\u00a0", " ") == sentence


def test_nothing_is_consented_to_when_nothing_is_charged_later() -> None:
    assert consent_text("Pinewood Studio", usd(4900), (), ZONE) is None


STATE_WORDS = {
    StateKind.UNKNOWN: (
        404,
        "We cannot find this page.",
        "The address may be incomplete. Check it against the message it came in, or ask the seller for a new link.",
    ),
    StateKind.LINK_OFF: (
        410,
        "This link is closed.",
        "Pinewood Studio is not taking payments with it any more. You have not been charged.",
    ),
    StateKind.LINK_EXPIRED: (
        410,
        "This offer ended on 31 March 2027.",
        "You have not been charged. Ask Pinewood Studio if it is still possible.",
    ),
    StateKind.SOLD_OUT: (
        410,
        "Sold out.",
        "This link had a limit, and it has been reached. You have not been charged.",
    ),
    StateKind.ALREADY_PAID: (
        410,
        "This has already been paid.",
        "It was paid on 31 March 2027. If that was you, the receipt is in your e-mail.",
    ),
    StateKind.CANNOT_TRANSACT: (
        404,
        "Pinewood Studio cannot take payments right now.",
        "This is on the seller's side, not yours. You have not been charged. Try again later, or ask Pinewood Studio.",
    ),
    StateKind.CHECKOUT_TIMED_OUT: (410, "This checkout has timed out.", "You have not been charged."),
    StateKind.TOO_MANY_TRIES: (
        429,
        "Too many tries.",
        "For safety, paying pauses here until 23:00 (EDT). Then you can go on.",
    ),
    StateKind.CANCEL_LINK_OVER: (
        410,
        "There is nothing to cancel here any more.",
        "The subscription behind this link has ended, or a newer receipt has a newer link. No charge will be made for "
        "one that has ended. If you are charged all the same, write to Pinewood Studio.",
    ),
    StateKind.SIGN_IN_OVER: (
        410,
        "This link has been used, or is too old.",
        "Each link opens your account once. A new one is in your mail within a minute.",
    ),
    StateKind.LINK_PAUSED: (
        429,
        "Paying pauses here until 23:00 (EDT).",
        "Too many cards were declined on this page within a short time, most likely not yours: for safety, it takes "
        "no payments until then. You have not been charged. Come back later, or ask Pinewood Studio.",
    ),
    StateKind.OTHER_SITE: (
        403,
        "This form was sent from another site.",
        "We took nothing of it. You have not been charged. Open the page by the link you were given, and use its form.",
    ),
    StateKind.NOT_READ: (
        400,
        "We could not read what was sent.",
        "We took nothing of it. You have not been charged. Go back, reload the page and try again.",
    ),
    StateKind.NOT_NOW: (
        409,
        "Something else was done here at the same moment.",
        "So this was not done. Reload the page to see how things stand, then try again.",
    ),
    StateKind.OUR_FAULT: (
        500,
        "Something broke on our side.",
        "If you had just pressed Pay, look for a receipt in your e-mail before you try again.",
    ),
}


@pytest.mark.parametrize("kind", StateKind)
def test_each_state_has_its_status_and_words(kind: StateKind) -> None:
    words = state_words(StatePage(kind, samples.STUDIO, at(2027, 4, 1, 3)))
    plain = (words.title.replace("\u00a0", " "), words.text.replace("\u00a0", " "))
    assert (state_status(kind), *plain) == STATE_WORDS[kind]


@pytest.mark.parametrize(
    ("method", "words"),
    [
        (samples.VISA, "Visa ending\u00a04242"),
        (MethodView("card", "0005", "amex"), "American Express ending\u00a00005"),
        (MethodView("card", "1234", "brand_of_next_year"), "Card ending\u00a01234"),
        (MethodView("us_bank_account", "6789"), "Bank account ending\u00a06789"),
        (samples.BANK, "STRIPE TEST BANK ending\u00a06789"),
    ],
)
def test_a_method_is_named_without_jargon(method: MethodView, words: str) -> None:
    assert method_words(method) == words


@pytest.mark.parametrize(
    ("page", "tag", "text"),
    [
        (samples.INVOICE, "Open", "Due 14 March 2027 (in 9 days)"),
        (replace(samples.INVOICE, now=at(2027, 3, 13)), "Open", "Due 14 March 2027 (in 1 day)"),
        (replace(samples.INVOICE, now=at(2027, 3, 14, 22)), "Open", "Due 14 March 2027 (today)"),
        (samples.OVERDUE, "Overdue by 6 days", "Was due 14 March 2027"),
        (samples.PART_PAID, "Part paid", "Due 14 March 2027 (in 9 days). $1,000.00 of $2,436.73 is paid"),
        (samples.INVOICE_PAID, "Paid", "5 March 2027 with Visa ending 4242"),
        (
            samples.INVOICE_VOID,
            "Cancelled",
            "This invoice was cancelled by Pinewood Studio on 6 March 2027. There is nothing to pay.",
        ),
        (
            samples.INVOICE_ON_ITS_WAY,
            "Payment on its way",
            "Your bank payment is on its way. Your bank confirms it within 4 business days. You do not need to do "
            "anything, and you should not pay again. We will write when it arrives, or if it fails.",
        ),
    ],
)
def test_an_invoice_says_where_it_stands(page: InvoicePage, tag: str, text: str) -> None:
    status = invoice_status(page)
    assert (status.tag.replace("\u00a0", " "), status.text.replace("\u00a0", " ")) == (tag, text)
