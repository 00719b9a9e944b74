"""Parts and attempts: a share of what is owed, its one live intent, and every try to move the money."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from chalicelib.domain.errors import StateConflict
from chalicelib.domain.machines import PART, PartAction, PartState
from chalicelib.domain.money.amounts import Money


class AttemptOutcome(StrEnum):
    """`claimed` means that the try may be under way or lost: Stripe must be asked before another one."""

    CLAIMED = "claimed"
    SUCCEEDED = "succeeded"
    PROCESSING = "processing"
    REQUIRES_ACTION = "requires_action"
    DECLINED = "declined"
    ABANDONED = "abandoned"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try. `number` counts from 1 and is in the idempotency key of the confirm, so it is saved before the call.

    `on_session` says that the buyer made it, who is there to be asked and told. `counts_later` says that it waits for
    its buyer's bank, and that a decline of it counts against its link once it is heard of. `next_at` is when the stored
    method is tried again after this decline, None where it is not. `payment_method_id` is the stored method that was
    tried; `asked` says that somebody asked for the try, so that it is no step of the invoice's ladder.
    """

    number: int
    at: datetime
    outcome: AttemptOutcome = AttemptOutcome.CLAIMED
    code: str | None = None
    decline_code: str | None = None
    next_at: datetime | None = None
    on_session: bool = False
    counts_later: bool = False
    advice_code: str | None = None
    payment_method_id: str | None = None
    asked: bool = False

    @property
    def failed_unattended(self) -> bool:
        """Whether it was made with nobody at the page, and did not pay."""
        failures = (AttemptOutcome.DECLINED, AttemptOutcome.REQUIRES_ACTION)
        return not self.on_session and self.outcome in failures


@dataclass(frozen=True, slots=True)
class Part:
    """A share of an invoice paid by one attempt or instalment, with at most one live intent.

    `generation` counts the intents: another one is made only after Stripe said that the last is canceled.
    """

    number: int
    amount: Money
    state: PartState = PartState.HELD
    generation: int = 1
    intent_id: str | None = None
    attempts: tuple[Attempt, ...] = ()

    @property
    def latest(self) -> Attempt | None:
        """The newest try."""
        return self.attempts[-1] if self.attempts else None

    @property
    def in_doubt(self) -> bool:
        """Whether a try was begun whose end is not known here."""
        return self.latest is not None and self.latest.outcome is AttemptOutcome.CLAIMED

    @property
    def latest_failure(self) -> Attempt | None:
        """The newest try with the stored method that failed, None where none did."""
        return next((attempt for attempt in reversed(self.attempts) if attempt.failed_unattended), None)

    def claimed(
        self,
        now: datetime,
        *,
        on_session: bool = False,
        payment_method_id: str | None = None,
        asked: bool = False,
    ) -> Part:
        """With a new try begun at `now`. Raises StateConflict unless the part is held and no try is in doubt."""
        if self.state is not PartState.HELD:
            raise StateConflict(f"A part that is {self.state} cannot be charged.")
        if self.in_doubt:
            raise StateConflict("The last try has no known end yet.")
        number = self.latest.number + 1 if self.latest else 1
        new = Attempt(number, now, on_session=on_session, payment_method_id=payment_method_id, asked=asked)
        return replace(self, attempts=(*self.attempts, new))

    def with_intent(self, intent_id: str) -> Part:
        """With the id of its live intent. Raises StateConflict when it has one."""
        if self.intent_id is not None:
            raise StateConflict("This part has its intent already.")
        return replace(self, intent_id=intent_id)

    def without_canceled_intent(self, intent_id: str) -> Part:
        """Ready for another intent, after Stripe said that `intent_id` is canceled."""
        if self.intent_id != intent_id:
            raise StateConflict("Another intent has taken the place of this one.")
        return replace(self, intent_id=None, generation=self.generation + 1)

    def ended(
        self,
        outcome: AttemptOutcome,
        code: str | None = None,
        decline_code: str | None = None,
        *,
        advice_code: str | None = None,
        next_at: datetime | None = None,
        counts_later: bool = False,
    ) -> Part:
        """With the end of the newest try written down."""
        if self.latest is None:
            raise StateConflict("There is no try to end.")
        last = replace(
            self.latest,
            outcome=outcome,
            code=code,
            decline_code=decline_code,
            advice_code=advice_code,
            next_at=next_at,
            counts_later=counts_later,
        )
        return replace(self, attempts=(*self.attempts[:-1], last))

    def moved(self, action: PartAction) -> Part:
        """In the state that an action leads to."""
        return replace(self, state=PART.next(self.state, action))
