"""The outbox for mails: a row that is `sending` before SES is asked and `sent` after it answered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class MailState(StrEnum):
    """SES has no idempotency: a crash between `sending` and `sent` may repeat one mail, never lose one."""

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    REFUSED = "refused"


class MailKind(StrEnum):
    """Which mail it is; the words are chosen when it is sent."""

    RECEIPT = "receipt"
    INVOICE = "invoice"
    """An invoice that is to be paid by whoever gets it."""
    RETRYING = "retrying"
    """A renewal was declined and is tried again by itself."""
    NEEDS_YOU = "needs_you"
    """A renewal was declined: another card is needed."""
    CONFIRM = "confirm"
    """A renewal waits for the buyer's bank to be satisfied."""
    RECOVERED = "recovered"
    """Nothing of a subscription is past due any more."""
    REFUND = "refund"
    """Money is on its way back to the buyer."""
    SUBSCRIPTION_CANCELED = "subscription_canceled"
    """A subscription was cancelled, now or at the end of what is paid."""
    SUBSCRIPTION_ENDED = "subscription_ended"
    """A subscription is over: its cancellation has come, or all of its payments are made."""
    SIGN_IN = "sign_in"
    """A link that opens the buyers' portal; sent only where the address is a customer's."""
    LINK_PAUSED = "link_paused"
    """To the operator: nearly every card tried on a link was declined."""
    PARKED = "parked"
    """To the operator: the day's bounds were reached, and nothing is issued or charged any more."""


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail to one address about one record. `due` is when its timer stands."""

    id: str
    merchant_id: str
    kind: MailKind
    to: str
    about_id: str
    due: datetime
    created_at: datetime
    state: MailState = MailState.QUEUED
    tries: int = 0
    sending_at: datetime | None = None
    provider_id: str | None = None
    version: int = 0
