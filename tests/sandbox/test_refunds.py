"""Money sent back, by API and as if from Stripe's dashboard, and what becomes of it later."""

from datetime import timedelta
from typing import Any

import pytest
import stripe

from tests.sandbox.conftest import Bench
from tests.sandbox.test_payments import pay


def test_a_refund_in_parts_never_exceeds_the_charge_and_returns_no_fee(bench: Bench) -> None:
    paid = pay(bench)
    bench.sandbox.deliver_due()
    first = bench.stripe.v1.refunds.create(
        {"payment_intent": paid.id, "amount": 1900, "reason": "requested_by_customer", "metadata": {"refund": "re_1"}},
        bench.keyed("refund-1"),
    )
    assert (first.amount, first.status, first.charge) == (1900, "succeeded", paid.latest_charge.id)
    assert bench.types()[-3:] == ["refund.created", "charge.refunded", "refund.updated"]
    charge = bench.stripe.v1.charges.retrieve(paid.latest_charge.id, {}, bench.on)
    assert (charge.amount_refunded, charge.refunded) == (1900, False)

    rest = bench.stripe.v1.refunds.create({"charge": charge.id}, bench.on)
    assert rest.amount == 3000
    assert bench.stripe.v1.charges.retrieve(charge.id, {}, bench.on).refunded is True
    with pytest.raises(stripe.InvalidRequestError) as refused:
        bench.stripe.v1.refunds.create({"charge": charge.id}, bench.on)
    assert refused.value.code == "charge_already_refunded"
    movements = bench.sandbox.listing("balance_transactions")
    assert [(one["type"], one["amount"], one["fee"]) for one in movements] == [
        ("charge", 4900, 172),
        ("refund", -1900, 0),
        ("refund", -3000, 0),
    ]
    listed = bench.stripe.v1.refunds.list({"charge": charge.id}, bench.on)
    assert [refund.id for refund in listed.data] == [rest.id, first.id]


def test_a_refund_from_the_dashboard_raises_the_same_events_without_a_request(bench: Bench) -> None:
    paid = pay(bench)
    made = bench.sandbox.create_refund(paid.latest_charge.id, 900)
    assert (made["amount"], made["object"]) == (900, "refund")
    events = bench.sandbox.listing("events")[-3:]
    assert [event["type"] for event in events] == ["refund.created", "charge.refunded", "refund.updated"]
    assert {event["request"]["id"] for event in events} == {None}
    assert events[1]["data"]["object"]["amount_refunded"] == 900
    assert events[1]["data"]["object"]["balance_transaction"] is not None
    with pytest.raises(KeyError):
        bench.sandbox.create_refund("ch_none", 1)


def refund(bench: Bench, behaves: str, **more: Any) -> stripe.Refund:
    paid = pay(bench, payment_method=behaves)
    bench.sandbox.deliver_due()
    return bench.stripe.v1.refunds.create({"payment_intent": paid.id, **more}, bench.on)


def look(bench: Bench, refund_id: str) -> stripe.Refund:
    return bench.stripe.v1.refunds.retrieve(refund_id, {"expand": ["charge", "failure_balance_transaction"]}, bench.on)


def test_the_card_for_it_refunds_pending_at_first_and_succeeds_later(bench: Bench) -> None:
    made = refund(bench, "pm_card_pendingRefund")
    assert (made.status, made.pending_reason, made.balance_transaction is not None) == ("pending", "processing", True)
    assert bench.sandbox.waiting() == [{"what": f"end of refund {made.id}", "due": "2027-01-31T20:40:00+00:00"}]
    assert bench.sandbox.deliver_due() == []
    bench.clock.advance(timedelta(minutes=10))
    assert [(done.what, done.subject) for done in bench.sandbox.deliver_due()] == [("refund", made.id)]
    assert look(bench, made.id).status == "succeeded"
    assert bench.types()[-2:] == ["refund.updated", "charge.refund.updated"]
    told = bench.sandbox.listing("events")[-1]["data"]
    assert told["previous_attributes"] == {"status": "pending", "pending_reason": "processing"}
    assert bench.sandbox.deliver_due() == []


def test_the_card_for_it_refunds_at_once_and_fails_later_with_the_money_back_on_the_balance(bench: Bench) -> None:
    made = refund(bench, "pm_card_refundFail", amount=1900)
    assert made.status == "succeeded"
    bench.clock.advance(timedelta(minutes=10))
    bench.sandbox.deliver_due()
    failed = look(bench, made.id)
    assert (failed.status, failed.failure_reason) == ("failed", "expired_or_canceled_card")
    back = failed.failure_balance_transaction
    assert isinstance(back, stripe.BalanceTransaction)
    assert (back.type, back.amount, back.fee, back.source) == ("refund_failure", 1900, 0, made.id)
    assert isinstance(failed.charge, stripe.Charge)
    assert (failed.charge.amount_refunded, failed.charge.refunded) == (0, False)
    assert bench.types()[-3:] == ["refund.updated", "charge.refund.updated", "refund.failed"]
    again = bench.stripe.v1.refunds.create({"charge": failed.charge.id}, bench.on)
    assert (again.amount, again.status) == (4900, "succeeded")


def test_whoever_asks_after_its_time_is_told_how_a_refund_ended_before_any_event_was_delivered(bench: Bench) -> None:
    made = refund(bench, "pm_card_pendingRefund")
    bench.clock.advance(timedelta(minutes=9))
    assert look(bench, made.id).status == "pending"
    bench.clock.advance(timedelta(minutes=1))
    assert look(bench, made.id).status == "succeeded"
    assert bench.types()[-2:] == ["refund.updated", "charge.refund.updated"]


def test_a_refund_goes_the_ways_that_stripe_documents_and_no_other(bench: Bench) -> None:
    made = refund(bench, "pm_card_pendingRefund")
    assert bench.sandbox.move_refund(made.id, "requires_action")["status"] == "requires_action"
    assert bench.sandbox.move_refund(made.id, "canceled")["failure_balance_transaction"] is not None
    for status in ("pending", "succeeded", "failed", "canceled"):
        with pytest.raises(ValueError, match="is canceled"):
            bench.sandbox.move_refund(made.id, status)
    # What was ended by hand is not ended again by its time.
    bench.clock.advance(timedelta(minutes=10))
    assert bench.sandbox.deliver_due() == []
    assert look(bench, made.id).status == "canceled"
    with pytest.raises(KeyError):
        bench.sandbox.move_refund("re_none", "failed")


def test_metadata_is_all_that_can_be_changed_of_a_refund(bench: Bench) -> None:
    made = refund(bench, "pm_card_visa", metadata={"till_refund": "ref_1", "a": "1"})
    before = len(bench.types())
    changed = bench.stripe.v1.refunds.update(made.id, {"metadata": {"a": "", "b": "2"}}, bench.on)
    assert changed.metadata is not None
    assert changed.metadata.to_dict() == {"till_refund": "ref_1", "b": "2"}
    assert bench.types()[before:] == ["refund.updated"]
    bench.stripe.v1.refunds.update(made.id, {"metadata": {"b": "2"}}, bench.on)
    assert len(bench.types()) == before + 1


def test_the_same_key_refunds_once_and_refunds_are_the_accounts_own(bench: Bench) -> None:
    paid = pay(bench)
    first = bench.stripe.v1.refunds.create({"payment_intent": paid.id, "amount": 900}, bench.keyed("refund-1"))
    again = bench.stripe.v1.refunds.create({"payment_intent": paid.id, "amount": 900}, bench.keyed("refund-1"))
    assert (again.id, len(bench.sandbox.listing("refunds"))) == (first.id, 1)
    with pytest.raises(stripe.InvalidRequestError) as elsewhere:
        bench.stripe.v1.refunds.retrieve(first.id)
    assert elsewhere.value.code == "resource_missing"
    listed = bench.stripe.v1.refunds.list({"payment_intent": paid.id}, bench.on)
    assert [each.id for each in listed.data] == [first.id]


def test_what_was_refunded_in_another_currency_comes_back_as_what_it_took(bench: Bench) -> None:
    paid = pay(bench, 5_000, "eur", payment_method="pm_card_refundFail")
    made = bench.stripe.v1.refunds.create({"payment_intent": paid.id}, bench.on)
    bench.sandbox.move_refund(made.id, "failed", "unknown")
    refunds = [one for one in bench.sandbox.listing("balance_transactions") if one["source"] == made.id]
    assert [(one["amount"], one["currency"]) for one in refunds] == [(-5_400, "usd"), (5_400, "usd")]
