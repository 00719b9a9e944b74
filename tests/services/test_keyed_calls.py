"""Calls under an idempotency key: one effect and one answer, whatever is lost, beaten, late or tried again."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from chalicelib.domain.documents.customers import Customer
from chalicelib.domain.documents.idempotency import KeyedCall, keyed_call_id, new_keyed_call
from chalicelib.domain.errors import TillError
from chalicelib.domain.ids import time_of
from chalicelib.services.customers import NewCustomer, create_customer, update_customer
from chalicelib.services.idempotency import Answer, Answering, CallInProgress, Held, begin
from chalicelib.services.merchants import create_merchant
from chalicelib.services.ports import Insert, StoreUnavailable, Update
from chalicelib.services.saving import commit, written
from tests.fakes.ports import FakePorts
from tests.fakes.storage import FakeStore
from tests.fakes.stripe import FakeStripe
from tests.fakes.troubled import TroubledStore
from tests.fakes.world import FakeClock, FakeIds, FakeMailer, FakeQueues
from tests.keyed_calls import ADA, keyed, make, shown

LEASE = timedelta(seconds=60)


class World:
    """A merchant, a clock and a store that gets into trouble."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.store = FakeStore()
        self.trouble = TroubledStore(self.store)
        self.ports = FakePorts(
            self.trouble,
            self.store,
            self.clock,
            FakeIds(),
            FakeQueues(self.clock),
            FakeStripe(self.clock),
            FakeMailer(),
        )
        self.merchant = create_merchant(
            self.ports, name="Pinewood", timezone="UTC", currency="usd", ready=True, slug="pinewood"
        )[0].id
        self.trouble.commits.clear()

    def make(self, new: NewCustomer = ADA, *, fingerprint: str = "one body", key: str = "order 42") -> Answer:
        """A request to make a customer."""
        return keyed(self.ports, self.merchant, make(self.merchant, new), fingerprint=fingerprint, key=key)

    @property
    def customers(self) -> list[str]:
        return [customer.email for customer in self.store.all(Customer)]

    @property
    def told(self) -> list[str]:
        return [event.type for event in self.store.all_events()]

    @property
    def row(self) -> KeyedCall:
        [row] = self.store.all(KeyedCall)
        return row

    def rival(self) -> KeyedCall:
        """The row of another request that has just claimed the key."""
        now = self.clock.now()
        return new_keyed_call(self.merchant, "order 42", "one body", now)

    def die_after_the_claim(self, key: str = "order 42") -> Held:
        """A request that claimed the key and was never heard of again; what it held."""
        held = begin(self.ports, self.merchant, key, "one body")
        assert isinstance(held, Held)
        held.answer_with(Answering(Customer, shown))
        return held


@pytest.fixture
def world() -> World:
    return World()


# --- the same call again


def test_the_same_call_again_has_the_same_answer_and_no_second_effect(world: World) -> None:
    first = world.make()
    assert (first.status, first.replayed, json.loads(first.body)["v"]) == (201, False, 1)
    world.clock.advance(timedelta(hours=23))
    before = len(world.trouble.commits)
    assert world.make() == replace(first, replayed=True)
    assert len(world.trouble.commits) == before
    assert (world.customers, world.told) == (["ada@example.com"], ["customer.created"])


def test_the_answer_is_in_the_effects_own_transaction_and_tells_of_the_record_as_written(world: World) -> None:
    answer = world.make()
    claim, effect = world.trouble.commits
    assert [type(write) for write in claim] == [Insert]
    assert isinstance(effect[-1], Update)
    assert effect[-1].record.id == world.row.id
    assert (world.row.status, world.row.answer) == (201, answer.body)
    [made] = world.store.all(Customer)
    assert json.loads(answer.body) == {"id": made.id, "email": made.email, "name": "Ada", "v": made.version}


def test_the_key_itself_is_not_kept(world: World) -> None:
    world.make(key="order 4711")
    assert world.row.id == keyed_call_id(world.merchant, "order 4711")
    assert "4711" not in repr(world.row)


def test_after_a_day_the_key_is_new(world: World) -> None:
    first = world.make()
    world.clock.advance(timedelta(hours=24))
    other = replace(ADA, email="eve@example.com")
    second = world.make(other, fingerprint="another body")
    assert (second.replayed, world.customers) == (False, ["ada@example.com", "eve@example.com"])
    assert world.make(other, fingerprint="another body") == replace(second, replayed=True)
    assert second.body != first.body


def test_another_body_under_the_key_is_refused_and_nothing_is_written(world: World) -> None:
    first = world.make()
    before = len(world.trouble.commits)
    with pytest.raises(TillError) as refused:
        world.make(replace(ADA, email="eve@example.com"), fingerprint="another body")
    assert (refused.value.code, refused.value.param) == ("idempotency_key_reused", "Idempotency-Key")
    assert (world.customers, len(world.trouble.commits)) == (["ada@example.com"], before)
    assert world.make() == replace(first, replayed=True)


def test_another_merchants_same_key_is_another_key(world: World) -> None:
    other = create_merchant(world.ports, name="Oak", timezone="UTC", currency="usd", ready=True)[0].id
    first = world.make()
    second = keyed(world.ports, other, make(other), fingerprint="another body")
    assert (second.replayed, world.customers) == (False, ["ada@example.com", "ada@example.com"])
    assert world.make() == replace(first, replayed=True)


# --- while it is worked on


def test_while_a_request_has_the_key_others_are_told_for_how_long(world: World) -> None:
    world.die_after_the_claim()
    for passed, left in ((0, 60), (0.5, 60), (58.5, 1)):
        world.clock.advance(timedelta(seconds=passed))
        with pytest.raises(CallInProgress) as refused:
            world.make()
        assert (refused.value.code, refused.value.retry_after) == ("idempotency_in_progress", left)
    assert (world.customers, len(world.trouble.commits)) == ([], 1)


def test_a_request_that_died_before_its_effect_is_taken_up_after_its_lease(world: World) -> None:
    world.die_after_the_claim()
    world.clock.advance(LEASE)
    answer = world.make()
    assert (answer.replayed, world.row.attempt, world.customers) == (False, 2, ["ada@example.com"])
    assert world.make() == replace(answer, replayed=True)


def test_a_request_whose_call_was_taken_up_can_write_nothing_and_does_not_try_again(world: World) -> None:
    late = world.die_after_the_claim()
    world.clock.advance(LEASE)
    taken_up = world.make()
    before = len(world.trouble.commits)
    with pytest.raises(CallInProgress) as refused:
        create_customer(late.ports, world.merchant, replace(ADA, email="eve@example.com"), actor="test")
    assert refused.value.retry_after == 60
    assert (len(world.trouble.commits), world.customers) == (before + 1, ["ada@example.com"])
    late.let_go()
    assert world.make() == replace(taken_up, replayed=True)


def test_a_lost_race_that_is_not_about_the_key_is_tried_again(world: World) -> None:
    made = create_customer(world.ports, world.merchant, ADA, actor="test")

    def somebody_else() -> None:
        update_customer(world.ports, world.merchant, made.id, {"company": "Engines"}, actor="test")

    world.trouble.before(2, somebody_else)
    answer = keyed(
        world.ports,
        world.merchant,
        lambda held: update_customer(held.ports, world.merchant, made.id, {"name": "Countess"}, actor="test"),
    )
    [after] = world.store.all(Customer)
    assert (after.name, after.company, after.version) == ("Countess", "Engines", 3)
    assert json.loads(answer.body)["v"] == 3


# --- what wrote nothing, and what was refused


def test_a_call_that_changes_nothing_stores_its_answer_all_the_same(world: World) -> None:
    made = create_customer(world.ports, world.merchant, ADA, actor="test")

    def work(held: Held) -> Customer:
        return update_customer(held.ports, world.merchant, made.id, {"name": "Ada"}, actor="test")

    first = keyed(world.ports, world.merchant, work)
    assert world.told == ["customer.created"]
    update_customer(world.ports, world.merchant, made.id, {"name": "Countess"}, actor="test")
    assert keyed(world.ports, world.merchant, work) == replace(first, replayed=True)
    assert json.loads(first.body)["name"] == "Ada"


def test_a_refusal_gives_the_key_back_for_any_body(world: World) -> None:
    create_customer(world.ports, world.merchant, ADA, actor="test")
    with pytest.raises(TillError) as refused:
        world.make()
    assert (refused.value.code, world.row.answer, world.row.leased_until) == ("state_conflict", None, None)
    answer = world.make(replace(ADA, email="eve@example.com"), fingerprint="another body")
    assert (answer.replayed, world.customers) == (False, ["ada@example.com", "eve@example.com"])


def test_what_comes_after_the_answer_is_written_without_the_key(world: World) -> None:
    def work(held: Held) -> Customer:
        made = create_customer(held.ports, world.merchant, ADA, actor="test")
        commit(held.ports, [Insert(KeyedCall("beside", world.merchant, "x", made.created_at, made.created_at, None))])
        return made

    keyed(world.ports, world.merchant, work)
    assert len(world.trouble.commits[-1]) == 1
    assert world.store.get(KeyedCall, "beside").version == 1


def test_one_transaction_with_two_records_that_could_be_the_answer_is_a_mistake(world: World) -> None:
    def work(held: Held) -> Customer:
        first = Customer(held.effect_id("cus"), world.merchant, "a@example.com", world.clock.now())
        commit(held.ports, [Insert(first), Insert(replace(first, id="cus_2"))])
        return first

    with pytest.raises(ValueError, match="2 records that could be the answer"):
        keyed(world.ports, world.merchant, work)
    assert world.customers == []


# --- several transactions


def in_two_steps(world: World, between: Callable[[], None] = lambda: None) -> Callable[[Held], Customer]:
    """A call that reserves a record, does something outside, and settles the record; it finds its reservation again."""

    def work(held: Held) -> Customer:
        made_id = held.effect_id("cus")
        reserved = held.ports.records.find(Customer, made_id)
        if reserved is None:
            reserved = Customer(made_id, world.merchant, "ada@example.com", time_of(made_id))
            commit(held.ports, [Insert(reserved)])
            reserved = written(reserved)
        between()
        settled = replace(reserved, name="settled")
        commit(held.ports, [Update(settled)])
        return written(settled)

    return work


def is_settled(customer: Customer) -> bool:
    return customer.name == "settled"


def test_a_call_of_several_transactions_is_answered_by_the_last(world: World) -> None:
    seen: list[str | None] = []
    answer = keyed(
        world.ports, world.merchant, in_two_steps(world, lambda: seen.append(world.row.answer)), final=is_settled
    )
    assert (seen, json.loads(answer.body)["name"]) == ([None], "settled")


def test_a_call_that_failed_between_two_transactions_is_taken_up_at_once_where_it_stood(world: World) -> None:
    def fails() -> None:
        raise StoreUnavailable("of somebody else's")

    with pytest.raises(StoreUnavailable):
        keyed(world.ports, world.merchant, in_two_steps(world, fails), final=is_settled)
    [reserved] = world.store.all(Customer)
    assert (reserved.name, world.row.begun, world.row.leased_until) == (None, True, None)
    with pytest.raises(TillError) as refused:
        world.make(fingerprint="another body")
    assert refused.value.code == "idempotency_key_reused"

    world.clock.advance(timedelta(minutes=5))
    answer = keyed(world.ports, world.merchant, in_two_steps(world), final=is_settled)
    [settled] = world.store.all(Customer)
    assert (settled.id, settled.name) == (reserved.id, "settled")
    assert json.loads(answer.body)["id"] == reserved.id


def test_a_call_that_died_between_two_transactions_is_taken_up_after_its_lease(world: World) -> None:
    class Dead(BaseException):
        """Nothing is tidied up."""

    def dies() -> None:
        raise Dead

    with pytest.raises(Dead):
        keyed(world.ports, world.merchant, in_two_steps(world, dies), final=is_settled)
    with pytest.raises(CallInProgress):
        keyed(world.ports, world.merchant, in_two_steps(world), final=is_settled)
    world.clock.advance(LEASE)
    keyed(world.ports, world.merchant, in_two_steps(world), final=is_settled)
    assert [customer.name for customer in world.store.all(Customer)] == ["settled"]


def test_the_effects_id_stays_while_the_call_is_taken_up_and_is_another_the_day_after(world: World) -> None:
    held = world.die_after_the_claim()
    began, first = world.clock.now(), held.effect_id("re")
    assert (time_of(first), first[:3], held.effect_id("re")) == (began, "re_", first)
    assert held.effect_id("cn")[3:] != first[3:]
    world.clock.advance(LEASE)
    assert world.die_after_the_claim().effect_id("re") == first
    assert world.die_after_the_claim("another key").effect_id("re") != first
    world.clock.advance(timedelta(hours=24))
    assert world.die_after_the_claim().effect_id("re") != first


# --- replies that are lost


@pytest.mark.parametrize("effect", [True, False])
def test_a_claim_without_an_answer_did_nothing_that_matters(world: World, effect: bool) -> None:
    world.trouble.lose_reply(1, effect=effect)
    with pytest.raises(StoreUnavailable):
        world.make()
    assert world.customers == []
    world.clock.advance(LEASE)
    assert world.make().replayed is False
    assert world.customers == ["ada@example.com"]


def test_an_effect_whose_reply_was_lost_is_answered_by_what_was_written(world: World) -> None:
    world.trouble.lose_reply(2, effect=True)
    with pytest.raises(StoreUnavailable):
        world.make()
    assert len(world.trouble.commits) == 2
    again = world.make()
    assert (again.replayed, world.customers, world.told) == (True, ["ada@example.com"], ["customer.created"])


def test_an_effect_that_may_have_been_written_leaves_the_key_leased_and_never_free(world: World) -> None:
    world.trouble.lose_reply(2, effect=False)
    with pytest.raises(StoreUnavailable):
        world.make()
    assert (len(world.trouble.commits), world.row.leased_until) == (2, world.clock.now() + LEASE)
    with pytest.raises(CallInProgress):
        world.make()
    with pytest.raises(TillError) as refused:
        world.make(fingerprint="another body")
    assert (refused.value.code, world.customers) == ("idempotency_key_reused", [])
    world.clock.advance(LEASE)
    world.make()
    assert (world.customers, world.told) == (["ada@example.com"], ["customer.created"])


@pytest.mark.parametrize("effect", [True, False])
def test_the_answer_of_a_call_that_changed_nothing_may_be_lost_too(world: World, effect: bool) -> None:
    made = create_customer(world.ports, world.merchant, ADA, actor="test")

    def work(held: Held) -> Customer:
        return update_customer(held.ports, world.merchant, made.id, {"name": "Ada"}, actor="test")

    world.trouble.lose_reply(2, effect=effect)
    with pytest.raises(StoreUnavailable):
        keyed(world.ports, world.merchant, work)
    world.clock.advance(LEASE)
    assert keyed(world.ports, world.merchant, work).replayed is effect
    assert world.told == ["customer.created"]


def test_a_key_that_cannot_be_given_back_is_free_after_its_lease(world: World) -> None:
    create_customer(world.ports, world.merchant, ADA, actor="test")
    held = world.die_after_the_claim()
    world.trouble.lose_reply(1, effect=False)
    with pytest.raises(StoreUnavailable):
        held.let_go()
    world.clock.advance(LEASE)
    assert begin(world.ports, world.merchant, "order 42", "one body") is not None
    assert world.row.attempt == 2


def test_whoever_loses_the_race_for_a_key_is_told_that_it_is_taken(world: World) -> None:
    world.trouble.before(1, lambda: world.store.overwrite(replace(world.rival(), version=1)))
    with pytest.raises(CallInProgress):
        world.make()
    assert (world.customers, len(world.trouble.commits)) == ([], 1)
