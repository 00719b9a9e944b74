"""The state pages: each says what happened, whether money moved, what to do now and whom to ask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from chalicelib.web.formatting import format_date, format_time, isolate
from chalicelib.web.views.states import StateKind, StatePage
from chalicelib.web.words.declines import NOT_CHARGED

_STATUS: Final[dict[StateKind, int]] = {
    StateKind.UNKNOWN: 404,
    StateKind.LINK_OFF: 410,
    StateKind.LINK_EXPIRED: 410,
    StateKind.SOLD_OUT: 410,
    StateKind.ALREADY_PAID: 410,
    StateKind.CANNOT_TRANSACT: 404,
    StateKind.CHECKOUT_TIMED_OUT: 410,
    StateKind.TOO_MANY_TRIES: 429,
    StateKind.CANCEL_LINK_OVER: 410,
    StateKind.SIGN_IN_OVER: 410,
    StateKind.LINK_PAUSED: 429,
    StateKind.OTHER_SITE: 403,
    StateKind.NOT_READ: 400,
    StateKind.NOT_NOW: 409,
    StateKind.OUR_FAULT: 500,
}


def state_status(kind: StateKind) -> int:
    """The HTTP status that a state's page is sent with."""
    return _STATUS[kind]


@dataclass(frozen=True, slots=True)
class StateWords:
    """`again` is the label of the page's link to `again_url`; `contact` says whether writing to the merchant helps."""

    title: str
    text: str
    again: str | None = None
    contact: bool = True


def state_words(page: StatePage, locale: str = "en") -> StateWords:
    """The words of one state."""
    name = isolate(page.merchant.name) if page.merchant else "the seller"
    zone = page.merchant.timezone if page.merchant else "UTC"
    match page.kind:
        case StateKind.UNKNOWN:
            return StateWords(
                "We cannot find this page.",
                "The address may be incomplete. Check it against the message it came in, "
                "or ask the seller for a new link.",
                contact=False,
            )
        case StateKind.LINK_OFF:
            return StateWords(
                "This link is closed.",
                f"{_sentence_start(name)} is not taking payments with it any more. {NOT_CHARGED}",
            )
        case StateKind.LINK_EXPIRED:
            title = f"This offer ended on {format_date(page.at, zone, locale)}." if page.at else "This offer has ended."
            return StateWords(title, f"{NOT_CHARGED} Ask {name} if it is still possible.")
        case StateKind.SOLD_OUT:
            return StateWords("Sold out.", f"This link had a limit, and it has been reached. {NOT_CHARGED}")
        case StateKind.ALREADY_PAID:
            when = f"It was paid on {format_date(page.at, zone, locale)}. " if page.at else ""
            return StateWords("This has already been paid.", f"{when}If that was you, the receipt is in your e-mail.")
        case StateKind.CANNOT_TRANSACT:
            return StateWords(
                f"{_sentence_start(name)} cannot take payments right now.",
                f"This is on the seller's side, not yours. {NOT_CHARGED} Try again later, or ask {name}.",
            )
        case StateKind.CHECKOUT_TIMED_OUT:
            return StateWords("This checkout has timed out.", NOT_CHARGED, again="Start again")
        case StateKind.TOO_MANY_TRIES:
            until = f" until {format_time(page.at, zone, locale)}" if page.at else " for a while"
            return StateWords(
                "Too many tries.", f"For safety, paying pauses here{until}. Then you can go on.", again="Go back"
            )
        case StateKind.CANCEL_LINK_OVER:
            return StateWords(
                "There is nothing to cancel here any more.",
                "The subscription behind this link has ended, or a newer receipt has a newer link. "
                f"No charge will be made for one that has ended. If you are charged all the same, write to {name}.",
            )
        case StateKind.SIGN_IN_OVER:
            return StateWords(
                "This link has been used, or is too old.",
                "Each link opens your account once. A new one is in your mail within a minute.",
                again="Send me a new one",
            )
        case StateKind.LINK_PAUSED:
            until = f"until {format_time(page.at, zone, locale)}" if page.at else "for a while"
            return StateWords(
                f"Paying pauses here {until}.",
                "Too many cards were declined on this page within a short time, most likely not yours: for safety, "
                f"it takes no payments until then. {NOT_CHARGED} Come back later, or ask {name}.",
            )
        case StateKind.OTHER_SITE:
            return StateWords(
                "This form was sent from another site.",
                f"We took nothing of it. {NOT_CHARGED} Open the page by the link you were given, and use its form.",
            )
        case StateKind.NOT_READ:
            return StateWords(
                "We could not read what was sent.",
                f"We took nothing of it. {NOT_CHARGED} Go back, reload the page and try again.",
            )
        case StateKind.NOT_NOW:
            return StateWords(
                "Something else was done here at the same moment.",
                "So this was not done. Reload the page to see how things stand, then try again.",
            )
        case StateKind.OUR_FAULT:
            return StateWords(
                "Something broke on our side.",
                "If you had just pressed Pay, look for a receipt in your e-mail before you try again.",
                again="Reload",
            )


def _sentence_start(name: str) -> str:
    return "The seller" if name == "the seller" else name
