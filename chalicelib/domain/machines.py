"""The six state machines, one table each: what has no row in its table is refused.

A repeated fact (the same webhook twice) has no row either: callers compare first, or ask `can`, and change nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Generic, TypeVar

from chalicelib.domain.errors import StateConflict

StateT = TypeVar("StateT", bound=StrEnum)
ActionT = TypeVar("ActionT", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Machine(Generic[StateT, ActionT]):
    """A closed table of moves; `name` is the word that refusals use."""

    name: str
    table: Mapping[tuple[StateT, ActionT], StateT]

    def __post_init__(self) -> None:
        # A table that anyone could write to would be a global that changes between two requests of one Lambda.
        object.__setattr__(self, "table", MappingProxyType(dict(self.table)))

    def can(self, state: StateT, action: ActionT) -> bool:
        """Whether the table has a row for this action in this state."""
        return (state, action) in self.table

    def next(self, state: StateT, action: ActionT) -> StateT:
        """The state after the action. Raises StateConflict where the table has no row."""
        after = self.table.get((state, action))
        if after is None:
            raise StateConflict(f"{self.name} in state {state}: {action} is not possible.")
        return after


class CheckoutStatus(StrEnum):
    """One buyer's attempt to pay."""

    OPEN = "open"
    PROCESSING = "processing"
    COMPLETED = "completed"
    EXPIRED = "expired"


class CheckoutAction(StrEnum):
    """AUTHORISE: the money is under way (a bank debit). FAIL: declined or returned before it settled; try again."""

    AUTHORISE = "authorise"
    COMPLETE = "complete"
    FAIL = "fail"
    EXPIRE = "expire"


class InvoiceStatus(StrEnum):
    """Overdue and partially paid are read off amounts and dates; they are no states."""

    DRAFT = "draft"
    OPEN = "open"
    PAID = "paid"
    VOID = "void"


class InvoiceAction(StrEnum):
    """PAY: nothing is left to pay, whether money, a credit or a total of zero settled it."""

    ISSUE = "issue"
    PAY = "pay"
    VOID = "void"


class PartState(StrEnum):
    """A share of an invoice that one attempt pays."""

    HELD = "held"
    PROCESSING = "processing"
    PAID = "paid"
    RELEASED = "released"


class PartAction(StrEnum):
    """RELEASE: Stripe said that the intent is canceled (or none was ever made)."""

    AUTHORISE = "authorise"
    PAY = "pay"
    FAIL = "fail"
    RELEASE = "release"


class PaymentStatus(StrEnum):
    """One movement of money in, one row per Stripe intent."""

    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    PARTIALLY_REFUNDED = "partially_refunded"
    REFUNDED = "refunded"
    PROCESSING_REFUND = "processing_refund"
    DISPUTED_ACTION_REQUIRED = "disputed_action_required"
    DISPUTED_AWAITING_DECISION = "disputed_awaiting_decision"
    DISPUTED_WON = "disputed_won"
    DISPUTED_LOST = "disputed_lost"


class PaymentAction(StrEnum):
    """Refund actions say what is refunded once they are done: a part, everything, or (after failures) nothing."""

    AUTHORISE = "authorise"
    SUCCEED = "succeed"
    FAIL = "fail"
    START_REFUND = "start_refund"
    REFUND_IN_PART = "refund_in_part"
    REFUND_IN_FULL = "refund_in_full"
    UNDO_REFUND = "undo_refund"
    OPEN_DISPUTE = "open_dispute"
    ANSWER_DISPUTE = "answer_dispute"
    WIN_DISPUTE = "win_dispute"
    LOSE_DISPUTE = "lose_dispute"


class RefundStatus(StrEnum):
    """Money on its way back. PENDING also while nobody knows yet whether Stripe has made the refund."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"


class RefundAction(StrEnum):
    """FAIL: Stripe refused it, or the bank sent the money back. CANCEL: called off in Stripe's dashboard."""

    SUCCEED = "succeed"
    FAIL = "fail"
    CANCEL = "cancel"


class SubscriptionStatus(StrEnum):
    """An agreement that yields one invoice per period. A cancellation at period end is a date, not a state."""

    SCHEDULED = "scheduled"
    ACTIVE = "active"
    PAST_DUE = "past_due"
    UNPAID = "unpaid"
    PAUSED = "paused"
    CANCELED = "canceled"
    EXPIRED = "expired"


class SubscriptionAction(StrEnum):
    """RECOVER: nothing is past due any more. GIVE_UP: the retries are over. EXPIRE: a fixed term is paid and over.

    EDIT changes what is billed, REACTIVATE takes back a cancellation at period end: neither moves the state.
    """

    ACTIVATE = "activate"
    FALL_BEHIND = "fall_behind"
    RECOVER = "recover"
    GIVE_UP = "give_up"
    PAUSE = "pause"
    RESUME = "resume"
    EDIT = "edit"
    REACTIVATE = "reactivate"
    CANCEL = "cancel"
    EXPIRE = "expire"


_C, _CA = CheckoutStatus, CheckoutAction
CHECKOUT: Final = Machine(
    "A checkout",
    {
        (_C.OPEN, _CA.AUTHORISE): _C.PROCESSING,
        (_C.OPEN, _CA.COMPLETE): _C.COMPLETED,
        (_C.OPEN, _CA.FAIL): _C.OPEN,
        (_C.OPEN, _CA.EXPIRE): _C.EXPIRED,
        (_C.PROCESSING, _CA.COMPLETE): _C.COMPLETED,
        (_C.PROCESSING, _CA.FAIL): _C.OPEN,
        # Stripe can take the money between our expiry and its answer to our cancel: it is booked, never dropped.
        (_C.EXPIRED, _CA.AUTHORISE): _C.PROCESSING,
        (_C.EXPIRED, _CA.COMPLETE): _C.COMPLETED,
    },
)

_I, _IA = InvoiceStatus, InvoiceAction
INVOICE: Final = Machine(
    "An invoice",
    {
        (_I.DRAFT, _IA.ISSUE): _I.OPEN,
        (_I.DRAFT, _IA.VOID): _I.VOID,
        (_I.OPEN, _IA.PAY): _I.PAID,
        # Void is final even when money arrives all the same: that money is booked on the invoice and flagged for
        # refund, but a document that the buyer was told is void does not come back.
        (_I.OPEN, _IA.VOID): _I.VOID,
    },
)

_S, _SA = PartState, PartAction
PART: Final = Machine(
    "A part",
    {
        (_S.HELD, _SA.AUTHORISE): _S.PROCESSING,
        (_S.HELD, _SA.PAY): _S.PAID,
        # A decline keeps the part: its intent can still succeed, so its share must not be offered to another attempt.
        (_S.HELD, _SA.FAIL): _S.HELD,
        (_S.HELD, _SA.RELEASE): _S.RELEASED,
        (_S.PROCESSING, _SA.PAY): _S.PAID,
        (_S.PROCESSING, _SA.FAIL): _S.HELD,
        # In rare cases Stripe cancels an intent that is processing (docs.stripe.com/api/payment_intents/cancel), and
        # the event that says so may be the first one we see.
        (_S.PROCESSING, _SA.RELEASE): _S.RELEASED,
        (_S.RELEASED, _SA.AUTHORISE): _S.PROCESSING,
        (_S.RELEASED, _SA.PAY): _S.PAID,
    },
)

_P, _PA = PaymentStatus, PaymentAction
_REFUNDABLE: Final = (_P.SUCCEEDED, _P.PARTIALLY_REFUNDED, _P.PROCESSING_REFUND, _P.REFUNDED, _P.DISPUTED_WON)
_IN_DISPUTE: Final = (_P.DISPUTED_ACTION_REQUIRED, _P.DISPUTED_AWAITING_DECISION)
PAYMENT: Final = Machine(
    "A payment",
    {
        # Order of webhooks is not guaranteed, and one intent may be confirmed again after a decline.
        (_P.PROCESSING, _PA.SUCCEED): _P.SUCCEEDED,
        (_P.PROCESSING, _PA.FAIL): _P.FAILED,
        (_P.FAILED, _PA.AUTHORISE): _P.PROCESSING,
        (_P.FAILED, _PA.SUCCEED): _P.SUCCEEDED,
        # Booked from here on: never back to processing, failed or a second booking.
        **{(state, _PA.START_REFUND): _P.PROCESSING_REFUND for state in _REFUNDABLE if state is not _P.REFUNDED},
        **{(state, _PA.REFUND_IN_PART): _P.PARTIALLY_REFUNDED for state in _REFUNDABLE},
        **{(state, _PA.REFUND_IN_FULL): _P.REFUNDED for state in (*_REFUNDABLE, *_IN_DISPUTE)},
        # A refund can fail even after Stripe reported it as succeeded (docs.stripe.com/refunds#failed-refunds).
        **{
            (state, _PA.UNDO_REFUND): _P.SUCCEEDED
            for state in (_P.PARTIALLY_REFUNDED, _P.PROCESSING_REFUND, _P.REFUNDED)
        },
        # While a dispute is open it is what the operator must see; a partial refund then only changes amounts.
        **{(state, _PA.REFUND_IN_PART): state for state in _IN_DISPUTE},
        **{(state, _PA.UNDO_REFUND): state for state in _IN_DISPUTE},
        # An inquiry under review can be escalated, a settled dispute reopened, and either outcome reversed later.
        **{(state, _PA.OPEN_DISPUTE): _P.DISPUTED_ACTION_REQUIRED for state in _REFUNDABLE},
        (_P.DISPUTED_AWAITING_DECISION, _PA.OPEN_DISPUTE): _P.DISPUTED_ACTION_REQUIRED,
        (_P.DISPUTED_ACTION_REQUIRED, _PA.ANSWER_DISPUTE): _P.DISPUTED_AWAITING_DECISION,
        **{(state, _PA.WIN_DISPUTE): _P.DISPUTED_WON for state in (*_IN_DISPUTE, _P.DISPUTED_LOST)},
        **{(state, _PA.LOSE_DISPUTE): _P.DISPUTED_LOST for state in (*_IN_DISPUTE, _P.DISPUTED_WON)},
    },
)

_R, _RA = RefundStatus, RefundAction
REFUND: Final = Machine(
    "A refund",
    {
        (_R.PENDING, _RA.SUCCEED): _R.SUCCEEDED,
        (_R.PENDING, _RA.FAIL): _R.FAILED,
        (_R.PENDING, _RA.CANCEL): _R.CANCELED,
        # A bank may send back what Stripe reported as done (docs.stripe.com/refunds#failed-refunds), and some refunds
        # can be called off for a while. Nothing comes after either: what is sent once more is another refund.
        (_R.SUCCEEDED, _RA.FAIL): _R.FAILED,
        (_R.SUCCEEDED, _RA.CANCEL): _R.CANCELED,
    },
)

_U, _UA = SubscriptionStatus, SubscriptionAction
_LIVING: Final = (_U.SCHEDULED, _U.ACTIVE, _U.PAST_DUE, _U.UNPAID, _U.PAUSED)
SUBSCRIPTION: Final = Machine(
    "A subscription",
    {
        (_U.SCHEDULED, _UA.ACTIVATE): _U.ACTIVE,
        (_U.SCHEDULED, _UA.CANCEL): _U.CANCELED,
        (_U.ACTIVE, _UA.FALL_BEHIND): _U.PAST_DUE,
        (_U.ACTIVE, _UA.PAUSE): _U.PAUSED,
        (_U.ACTIVE, _UA.CANCEL): _U.CANCELED,
        # Only from active: a last payment that failed is past due first, and a debt does not end by a date.
        (_U.ACTIVE, _UA.EXPIRE): _U.EXPIRED,
        (_U.PAST_DUE, _UA.RECOVER): _U.ACTIVE,
        (_U.PAST_DUE, _UA.GIVE_UP): _U.UNPAID,
        (_U.PAST_DUE, _UA.PAUSE): _U.PAUSED,
        (_U.PAST_DUE, _UA.CANCEL): _U.CANCELED,
        (_U.UNPAID, _UA.RECOVER): _U.ACTIVE,
        (_U.UNPAID, _UA.PAUSE): _U.PAUSED,
        (_U.UNPAID, _UA.CANCEL): _U.CANCELED,
        (_U.PAUSED, _UA.RESUME): _U.ACTIVE,
        (_U.PAUSED, _UA.CANCEL): _U.CANCELED,
        # A pause that began in the last paid period does not prolong the term.
        (_U.PAUSED, _UA.EXPIRE): _U.EXPIRED,
        **{(state, _UA.EDIT): state for state in _LIVING},
        # What has not begun ends at once, so there is nothing to take back.
        **{(state, _UA.REACTIVATE): state for state in _LIVING if state is not _U.SCHEDULED},
    },
)
