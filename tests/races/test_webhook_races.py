"""Stripe tells one thing many times at once: one effect, and every delivery answered."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import partial

from chalicelib.domain.documents.checkouts import Checkout
from chalicelib.domain.documents.intake import StripeEvent
from chalicelib.domain.documents.invoices import Invoice
from chalicelib.domain.documents.payments import Payment
from chalicelib.domain.documents.timers import TimerKind
from chalicelib.services.checkouts.submit import Ending
from chalicelib.services.intake import apply_received
from chalicelib.services.notices import Notice
from chalicelib.services.payments.matching import PaymentMismatch
from chalicelib.services.ports import ProviderUnavailable, Update
from chalicelib.services.saving import commit
from tests.races.arena import Arena, each_thread, later
from tests.races.at_once import THREADS, at_once, told

ANSWERED = {"applied", "known before", "done before", "done by another", "being taken in by another"}


def paid_at_stripe_only(arena: Arena) -> tuple[Checkout, Notice]:
    """A checkout whose buyer passed the bank's question and never came back, and Stripe's news of it."""
    form = arena.form(arena.one_time, "pm_card_authenticationRequired")
    assert arena.press(0, form).ending is Ending.REQUIRES_ACTION
    checkout = arena.ports.records.get(Checkout, form.checkout_id)
    arena.answer_challenge(checkout.part.intent_id or "")
    return checkout, arena.notices("payment_intent.succeeded")[-1]


def test_two_deliveries_of_one_event_book_it_once(arena: Arena) -> None:
    for turn in range(1, 6):
        _, notice = paid_at_stripe_only(arena)
        said = at_once([partial(arena.tell, 0, notice), partial(arena.tell, 1, notice)])
        assert set(said) <= ANSWERED
        assert len(arena.all(Invoice)) == len(arena.charged()) == turn
    assert [row.state for row in arena.all(StripeEvent)] == ["done"] * 5


def test_fifty_deliveries_of_one_event_book_it_once(arena: Arena) -> None:
    _, notice = paid_at_stripe_only(arena)
    said = Counter(at_once([partial(arena.tell, number, notice) for number in range(50)]))
    assert set(said) <= ANSWERED
    assert said["applied"] <= 1
    assert len(arena.all(Invoice)) == len(arena.all(Payment)) == 1
    [row] = arena.all(StripeEvent)
    assert row.state == "done"
    assert arena.event_types()["payment.succeeded"] == 1


def test_everything_that_is_told_of_a_payment_at_once_ends_as_it_does_one_by_one(arena: Arena) -> None:
    checkout, _ = paid_at_stripe_only(arena)
    arena.sandbox.deliver_due()
    told_of = arena.notices("payment_intent.requires_action", "payment_intent.succeeded", "charge.updated")
    assert {each.type for each in told_of} >= {"payment_intent.succeeded", "charge.updated"}
    notices = (told_of * THREADS)[:THREADS]
    at_once(each_thread(lambda n: arena.tell(n, notices[n])))
    [payment] = arena.all(Payment)
    assert payment.settlement is not None
    assert (payment.amount.minor, payment.settlement.gross.minor) == (14_800, 14_800)
    assert arena.ports.records.get(Checkout, checkout.id).status == "completed"
    assert {row.state for row in arena.all(StripeEvent)} == {"done"}
    assert arena.event_types()["payment.settled"] <= 1


def test_an_event_left_unfinished_is_taken_up_by_deliveries_and_workers_at_once_and_done_once(arena: Arena) -> None:
    _, notice = paid_at_stripe_only(arena)
    arena.lose_answers("GET /v1/payment_intents/{id}")
    assert isinstance(told(ProviderUnavailable, partial(arena.tell, 0, notice))(), ProviderUnavailable)
    arena.sandbox.behave()
    [row] = arena.all(StripeEvent)
    assert row.state == "received"
    arena.clock.set(later(arena.clock.now(), minutes=11))

    def work(number: int) -> str:
        return arena.tell(number, notice) if number % 2 else apply_received(arena.at(number), row.id)

    at_once(each_thread(work))
    assert [each.state for each in arena.all(StripeEvent)] == ["done"]
    assert len(arena.all(Invoice)) == 1
    assert [timer for timer in arena.timers() if timer.kind is TimerKind.APPLY_WEBHOOK] == []


def test_sixteen_deliveries_about_an_intent_whose_id_was_never_saved_save_it_once(arena: Arena) -> None:
    form = arena.form(arena.one_time)
    arena.lose_answers("POST /v1/payment_intents")
    assert arena.press(0, form).ending is Ending.CHECKING
    arena.sandbox.behave()
    [intent] = arena.sandbox.listing("payment_intents")
    assert arena.ports.records.get(Checkout, form.checkout_id).part.intent_id is None
    notice = Notice("evt_1", "payment_intent.canceled", arena.merchant.stripe_account, False, intent)
    said = at_once(each_thread(lambda n: arena.tell(n, replace(notice, event_id=f"evt_{n % 4}"))))
    assert set(said) <= ANSWERED
    assert arena.ports.records.get(Checkout, form.checkout_id).part.intent_id == intent["id"]
    arena.clock.set(later(arena.clock.now(), minutes=2))
    assert arena.press(0, replace(form, confirmation_token=arena.token())).ending is Ending.PAID
    assert len(arena.sandbox.listing("payment_intents")) == 1


def test_sixteen_deliveries_of_an_event_that_does_not_match_book_nothing_and_are_each_answered(arena: Arena) -> None:
    checkout, notice = paid_at_stripe_only(arena)
    part = checkout.part
    more = checkout.with_part(replace(part, amount=replace(part.amount, minor=part.amount.minor + 100)))
    commit(arena.ports, [Update(more)])
    said = at_once(each_thread(lambda n: told(PaymentMismatch, lambda: arena.tell(n, notice))()))
    assert {each for each in said if isinstance(each, str)} <= ANSWERED
    assert any(isinstance(each, PaymentMismatch) for each in said)
    [row] = arena.all(StripeEvent)
    assert (row.state, (row.result or "").partition(":")[0]) == ("done", "mismatch")
    assert arena.all(Invoice) == arena.all(Payment) == []
    # What was changed by hand is put back and told anew, so that the race ends with books that hold.
    changed = arena.ports.records.get(Checkout, checkout.id)
    commit(arena.ports, [Update(changed.with_part(replace(changed.part, amount=part.amount)))])
    assert arena.tell(0, replace(notice, event_id="evt_again")) == "applied"
