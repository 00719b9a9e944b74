"""Stripe in memory behind the PaymentProvider port, with the handles that a test turns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from chalicelib.domain.money.amounts import Money
from chalicelib.services.ports import (
    Charge,
    Clock,
    Decline,
    EventPage,
    Intent,
    IntentStatus,
    ListedEvent,
    MadeRefund,
    MadeStatus,
    NewIntent,
    NewRefund,
)
from tests.fakes.stripe_calls import Call, Calls
from tests.fakes.stripe_cards import BEHAVIOURS, PAYMENT_CHALLENGE_FAILED, SETUP_CHALLENGE_FAILED, Behaviour
from tests.fakes.stripe_refunds import Refunds
from tests.fakes.stripe_state import OPEN, FakeCustomer, State, missing

__all__ = ["BEHAVIOURS", "Behaviour", "Call", "FakeCustomer", "FakeStripe"]


class FakeStripe(Calls):
    """The port; behind it tokens, challenges, settlement; and from `Calls` the recorded calls and `fail`."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self._state = State(clock)
        self.refunds = Refunds(self._state, clock)
        self.events: list[ListedEvent] = []
        self.events_page = 100

    # --- the port -----------------------------------------------------------------------------------------------------

    def create_customer(
        self, account: str | None, *, email: str, name: str, metadata: Mapping[str, str], key: str
    ) -> str:
        """See PaymentProvider."""

        def effect() -> str:
            customer = FakeCustomer(self._state.new_id("cus"), account, email, name, dict(metadata))
            self._state.customers[customer.id] = customer
            return customer.id

        arguments = {"email": email, "name": name, "metadata": dict(metadata)}
        return self._write("create_customer", account, arguments, key, effect)

    def create_intent(self, account: str | None, request: NewIntent, *, key: str) -> Intent:
        """See PaymentProvider."""
        arguments = {"request": request}
        return self._write("create_intent", account, arguments, key, lambda: self._state.put_intent(account, request))

    def confirm_with_token(
        self,
        account: str | None,
        intent_id: str,
        *,
        confirmation_token: str,
        return_url: str,
        key: str,
        keep_method: bool | None = None,
    ) -> Intent:
        """See PaymentProvider."""
        arguments = {
            "intent_id": intent_id,
            "confirmation_token": confirmation_token,
            "return_url": return_url,
            "keep_method": keep_method,
        }

        def effect() -> Intent:
            if keep_method is not None:
                self._state.keep(account, intent_id, keep_method)
            return self._confirm_with_token(account, intent_id, "pi", confirmation_token)

        return self._write("confirm_with_token", account, arguments, key, effect)

    def confirm_off_session(self, account: str | None, intent_id: str, *, payment_method_id: str, key: str) -> Intent:
        """See PaymentProvider."""

        def effect() -> Intent:
            held = self._state.confirmable(account, intent_id, "pi")
            held.method = self._state.stored_method(account, payment_method_id, held.intent.customer_id)
            return self._state.attempt(held, off_session=True)

        arguments = {"intent_id": intent_id, "payment_method_id": payment_method_id}
        return self._write("confirm_off_session", account, arguments, key, effect)

    def retrieve_intent(self, account: str | None, intent_id: str) -> Intent:
        """See PaymentProvider."""

        def answer() -> Intent:
            return self._state.find(account, intent_id, "pi").intent

        return self._read("retrieve_intent", account, {"intent_id": intent_id}, answer)

    def find_intents(self, account: str | None, *, customer_id: str) -> list[Intent]:
        """See PaymentProvider."""

        def answer() -> list[Intent]:
            self._state.check_customer(account, customer_id)
            newest_first = reversed(self._state.held.values())
            return [held.intent for held in newest_first if held.request and held.intent.customer_id == customer_id]

        return self._read("find_intents", account, {"customer_id": customer_id}, answer)

    def cancel_intent(self, account: str | None, intent_id: str, *, key: str) -> Intent:
        """See PaymentProvider."""

        def effect() -> Intent:
            held = self._state.find(account, intent_id, "pi")
            return held.change(status=IntentStatus.CANCELED) if held.intent.status in OPEN else held.intent

        return self._write("cancel_intent", account, {"intent_id": intent_id}, key, effect)

    def retrieve_charge(self, account: str | None, charge_id: str) -> Charge:
        """See PaymentProvider."""

        def answer() -> Charge:
            owner, charge = self._state.charges.get(charge_id, (None, None))
            if charge is None or owner != account:
                raise missing("charge", charge_id)
            return charge

        return self._read("retrieve_charge", account, {"charge_id": charge_id}, answer)

    def create_refund(self, account: str | None, request: NewRefund, *, key: str) -> MadeRefund:
        """See PaymentProvider."""
        arguments = {"request": request}
        return self._write("create_refund", account, arguments, key, lambda: self.refunds.make(account, request))

    def find_refunds(self, account: str | None, *, intent_id: str) -> list[MadeRefund]:
        """See PaymentProvider."""

        def answer() -> list[MadeRefund]:
            return self.refunds.of_intent(account, intent_id)

        return self._read("find_refunds", account, {"intent_id": intent_id}, answer)

    def create_setup_intent(
        self, account: str | None, *, customer_id: str, metadata: Mapping[str, str], key: str
    ) -> Intent:
        """See PaymentProvider."""

        def effect() -> Intent:
            return self._state.put_setup_intent(account, customer_id, metadata)

        arguments = {"customer_id": customer_id, "metadata": dict(metadata)}
        return self._write("create_setup_intent", account, arguments, key, effect)

    def confirm_setup_with_token(
        self, account: str | None, intent_id: str, *, confirmation_token: str, return_url: str, key: str
    ) -> Intent:
        """See PaymentProvider."""
        arguments = {"intent_id": intent_id, "confirmation_token": confirmation_token, "return_url": return_url}

        def effect() -> Intent:
            return self._confirm_with_token(account, intent_id, "seti", confirmation_token)

        return self._write("confirm_setup_with_token", account, arguments, key, effect)

    def retrieve_setup_intent(self, account: str | None, intent_id: str) -> Intent:
        """See PaymentProvider."""

        def answer() -> Intent:
            return self._state.find(account, intent_id, "seti").intent

        return self._read("retrieve_setup_intent", account, {"intent_id": intent_id}, answer)

    def list_events(
        self, account: str | None, *, created_after: datetime, types: Sequence[str], cursor: str | None = None
    ) -> EventPage:
        """See PaymentProvider: what a test put into `events`, `events_page` at a time."""

        def answer() -> EventPage:
            mine = [event for event in reversed(self.events) if event.account == account and event.type in types]
            found = [event for event in mine if event.created_at >= created_after]
            ids = [event.id for event in found]
            behind = found[ids.index(cursor) + 1 :] if cursor is not None else found
            page = tuple(behind[: self.events_page])
            return EventPage(page, page[-1].id if len(behind) > len(page) else None)

        arguments = {"created_after": created_after, "types": tuple(types), "cursor": cursor}
        return self._read("list_events", account, arguments, answer)

    # --- what a test turns --------------------------------------------------------------------------------------------

    def confirmation_token(self, behaves: str = "pm_card_visa", account: str | None = None) -> str:
        """What the buyer's browser hands over: a token whose method behaves as one of BEHAVIOURS."""
        with self._lock:
            token = self._state.new_id("ctoken")
            self._state.tokens[token] = (self._state.new_method(account, BEHAVIOURS[behaves]), None)
            return token

    def stored_method(self, customer_id: str, behaves: str = "pm_card_visa", account: str | None = None) -> str:
        """A method already stored for a customer; its id."""
        with self._lock:
            method = self._state.new_method(account, BEHAVIOURS[behaves])
            method.customer_id, method.set_up = customer_id, True
            return method.id

    def behave(self, payment_method_id: str, behaves: str) -> None:
        """From now on a method behaves as another of BEHAVIOURS."""
        self._state.methods[payment_method_id].behaviour = BEHAVIOURS[behaves]

    def pass_challenge(self, intent_id: str) -> Intent:
        """The buyer convinces the bank."""
        with self._lock:
            return self._state.finish(self._state.in_state(intent_id, IntentStatus.REQUIRES_ACTION))

    def fail_challenge(self, intent_id: str) -> Intent:
        """The buyer does not convince the bank."""
        with self._lock:
            held = self._state.in_state(intent_id, IntentStatus.REQUIRES_ACTION)
            return self._state.decline(held, PAYMENT_CHALLENGE_FAILED if held.request else SETUP_CHALLENGE_FAILED)

    def give_up(self, intent_id: str) -> Intent:
        """Stripe cancels an open intent by itself, as it does after too many failed confirmations."""
        with self._lock:
            held = self._state.held[intent_id]
            if held.intent.status not in OPEN:
                raise ValueError(f"{intent_id} is {held.intent.status}")
            return held.change(status=IntentStatus.CANCELED)

    def settle_processing(self, intent_id: str, decline: Decline | None = None) -> Intent:
        """A slow payment arrives, or fails with `decline`."""
        with self._lock:
            held = self._state.in_state(intent_id, IntentStatus.PROCESSING)
            return self._state.decline(held, decline) if decline else self._state.succeed(held)

    def settle(self) -> tuple[str, ...]:
        """Stripe captures what it has not captured yet; the ids of the charges that got their balance now."""
        with self._lock:
            fresh = tuple(charge.id for charge in self.charges() if charge.balance is None)
            for charge_id in fresh:
                self._state.settle(charge_id)
            return fresh

    def refund_in_dashboard(self, account: str | None, intent_id: str, minor: int) -> MadeRefund:
        """Somebody sends money back in Stripe's dashboard, without a word of ours on it."""
        with self._lock:
            amount = self._state.find(account, intent_id, "pi").intent.amount
            if amount is None:
                raise ValueError(f"{intent_id} has no amount")
            return self.refunds.make(account, NewRefund(intent_id, Money(minor, amount.currency), {}))

    def end_refund(self, refund_id: str, status: MadeStatus, reason: str | None = None) -> MadeRefund:
        """The bank or the dashboard moves a refund on."""
        with self._lock:
            return self.refunds.move(refund_id, status, reason)

    def intents(self) -> list[Intent]:
        """Every PaymentIntent of every account, oldest first."""
        return [held.intent for held in self._state.held.values() if held.request]

    def intents_of(self, account: str | None) -> list[Intent]:
        """Every PaymentIntent of one account, oldest first."""
        return [held.intent for held in self._state.held.values() if held.request and held.account == account]

    def charges_of(self, account: str | None) -> list[Charge]:
        """Every successful charge of one account, oldest first."""
        return [charge for owner, charge in self._state.charges.values() if owner == account]

    def tamper(self, intent_id: str, **changes: Any) -> None:
        """Make Stripe say something else of an intent than what happened."""
        self._state.held[intent_id].change(**changes)

    def setup_intents(self) -> list[Intent]:
        """Every SetupIntent of every account, oldest first."""
        return [held.intent for held in self._state.held.values() if not held.request]

    def charges(self) -> list[Charge]:
        """Every successful charge of every account, oldest first."""
        return [charge for _, charge in self._state.charges.values()]

    def now(self) -> datetime:
        """The time that Stripe writes on what it makes."""
        return self._clock.now().replace(microsecond=0)

    def customers(self) -> list[FakeCustomer]:
        """Every customer of every account, oldest first."""
        return list(self._state.customers.values())

    # ------------------------------------------------------------------------------------------------------------------

    def _confirm_with_token(self, account: str | None, intent_id: str, prefix: str, token: str) -> Intent:
        held = self._state.confirmable(account, intent_id, prefix)
        self._state.use_token(held, token)
        return self._state.attempt(held, off_session=False)
