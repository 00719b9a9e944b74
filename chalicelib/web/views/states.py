"""Pages that say why there is nothing to pay here, or that something went wrong."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from chalicelib.web.views.common import MerchantView


class StateKind(StrEnum):
    """Which page; `state_status` in `web.words` has the HTTP status of each."""

    UNKNOWN = "unknown"
    LINK_OFF = "link_off"
    LINK_EXPIRED = "link_expired"
    SOLD_OUT = "sold_out"
    ALREADY_PAID = "already_paid"
    CANNOT_TRANSACT = "cannot_transact"
    CHECKOUT_TIMED_OUT = "checkout_timed_out"
    TOO_MANY_TRIES = "too_many_tries"
    CANCEL_LINK_OVER = "cancel_link_over"
    SIGN_IN_OVER = "sign_in_over"
    LINK_PAUSED = "link_paused"
    OTHER_SITE = "other_site"
    NOT_READ = "not_read"
    NOT_NOW = "not_now"
    OUR_FAULT = "our_fault"


@dataclass(frozen=True, slots=True)
class StatePage:
    """One state. `merchant` None shows no branding at all (always so for UNKNOWN).

    `at` is the moment the words name: when the offer ended, when it was paid, until when paying pauses.
    `again_url` is *Start again*, *Reload* or *Go back*. `reference` is the request id of OUR_FAULT.
    """

    kind: StateKind
    merchant: MerchantView | None = None
    at: datetime | None = None
    again_url: str | None = None
    reference: str | None = None
