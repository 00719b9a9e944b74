"""Money sent back, by API and as if from Stripe's dashboard."""

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
