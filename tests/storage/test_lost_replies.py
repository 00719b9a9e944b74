"""What the store believes when DynamoDB does not answer, answers late, or says no for a while."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from chalicelib.domain.documents.customers import Customer
from chalicelib.domain.documents.merchants import NumberSeries
from chalicelib.services.ports import (
    Append,
    Insert,
    SetTimer,
    StoreUnavailable,
    Unchanged,
    Update,
    Write,
    WriteConflict,
)
from chalicelib.storage.connection import connect
from chalicelib.storage.patience import Patience, Refused
from chalicelib.storage.schema import StoreConfig
from chalicelib.storage.store import DynamoStore
from tests.fakes.dynamodb_proxy import DynamoProxy, Fault, canceled, lose_reply, lose_request, refusal
from tests.storage.records import customer, event, new_id, new_merchant, series, timer

WRITE, READ = "TransactWriteItems", "GetItem"


class Bench:
    """A store behind the proxy, another that goes straight to the database, and one merchant with a counter at 0."""

    def __init__(self, proxy: DynamoProxy, config: StoreConfig, direct: DynamoStore, *, tokens: bool = True) -> None:
        proxy.clear()
        proxy.keep_tokens = tokens
        self.proxy = proxy
        self.direct = direct
        self.pauses: list[float] = []
        self.meanwhile: Callable[[], None] = lambda: None
        patience = Patience(sleep=self._pause, share=lambda: 1.0)
        self.store = DynamoStore(replace(config, endpoint_url=proxy.url), patience=patience)
        self.merchant = new_merchant()
        self.direct.commit(new_id("op"), [Insert(series(self.merchant))])
        self.read = self.counter

    def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.meanwhile()

    @property
    def counter(self) -> NumberSeries:
        return self.direct.get(NumberSeries, series(self.merchant).id)

    @property
    def told(self) -> int:
        return len(self.direct.events(self.merchant, limit=10)[0])

    @property
    def sent(self) -> list[bytes]:
        return self.proxy.bodies(WRITE)

    def count(self) -> Update:
        return Update(replace(self.read, last=self.read.last + 1))

    def somebody_counts(self) -> None:
        """Another writer moves the counter on."""
        self.direct.commit(new_id("op"), [Update(replace(self.counter, last=100))])


@pytest.fixture(scope="module")
def proxy(dynamodb_endpoint: str) -> Iterator[DynamoProxy]:
    with DynamoProxy(dynamodb_endpoint) as running:
        yield running


@pytest.fixture(scope="module")
def direct(store_config: StoreConfig) -> DynamoStore:
    return DynamoStore(store_config)


@pytest.fixture
def bench(proxy: DynamoProxy, store_config: StoreConfig, direct: DynamoStore) -> Bench:
    return Bench(proxy, store_config, direct)


@pytest.fixture
def tokenless(proxy: DynamoProxy, store_config: StoreConfig, direct: DynamoStore) -> Bench:
    """Each request is a stranger to the one before, as it is to DynamoDB after ten minutes."""
    return Bench(proxy, store_config, direct, tokens=False)


@pytest.fixture(params=[True, False], ids=["token", "no_token"])
def either(request: pytest.FixtureRequest, proxy: DynamoProxy, store_config: StoreConfig, direct: DynamoStore) -> Bench:
    return Bench(proxy, store_config, direct, tokens=request.param)


# --- lost on the way


@pytest.mark.parametrize("fault", [lose_reply, lose_request])
def test_a_transaction_without_an_answer_is_sent_again_and_happens_once(either: Bench, fault: Fault) -> None:
    who = customer(either.merchant)
    writes = [either.count(), Insert(who), Append(event(either.merchant)), SetTimer(timer(either.merchant))]
    either.proxy.next(WRITE, fault)
    either.store.commit(new_id("op"), writes)
    assert len(either.sent) == 2
    assert (either.counter.last, either.counter.version, either.told) == (1, 2, 1)
    assert either.direct.get(Customer, who.id).version == 1


@pytest.mark.parametrize("write", ["update", "insert", "append"])
def test_one_write_of_any_sort_survives_a_lost_reply_without_a_token(tokenless: Bench, write: str) -> None:
    who, told = customer(tokenless.merchant), event(tokenless.merchant)
    writes: dict[str, Write] = {"update": tokenless.count(), "insert": Insert(who), "append": Append(told)}
    tokenless.proxy.next(WRITE, lose_reply)
    tokenless.store.commit(new_id("op"), [writes[write]])
    assert len(tokenless.sent) == 2
    assert (tokenless.counter.last, tokenless.told) == (int(write == "update"), int(write == "append"))


def test_the_same_bytes_are_sent_each_time(bench: Bench) -> None:
    bench.proxy.next(WRITE, lose_request, refusal("ThrottlingException"), refusal("ThrottlingException"))
    bench.store.commit(new_id("op"), [bench.count(), Append(event(bench.merchant))])
    assert len(bench.sent) == 4
    assert len(set(bench.sent)) == 1
    assert 1 <= len(json.loads(bench.sent[0])["ClientRequestToken"]) <= 36


def test_two_lost_replies_leave_the_outcome_unknown_and_a_repeat_finds_it_done(either: Bench) -> None:
    mine, writes = new_id("op"), [either.count(), Append(event(either.merchant))]
    either.proxy.next(WRITE, lose_reply, lose_reply)
    with pytest.raises(StoreUnavailable):
        either.store.commit(mine, writes)
    assert len(either.sent) == 2
    either.store.commit(mine, writes)
    assert (either.counter.last, either.counter.version, either.told) == (1, 2, 1)


@pytest.mark.parametrize("proof", ["event", "insert"])
def test_a_lost_reply_is_recognised_though_others_have_written_over_it_since(tokenless: Bench, proof: str) -> None:
    who = customer(tokenless.merchant)
    made = Append(event(tokenless.merchant)) if proof == "event" else Insert(who)

    def others_write() -> None:
        tokenless.somebody_counts()
        if proof == "insert":
            tokenless.direct.commit(new_id("op"), [Update(replace(who, name="Ada", version=1))])

    tokenless.proxy.next(WRITE, lose_reply)
    tokenless.meanwhile = others_write
    tokenless.store.commit(new_id("op"), [tokenless.count(), made])
    assert (tokenless.counter.last, tokenless.counter.version) == (100, 3)
    # The rows that stood in the way were proof enough.
    assert tokenless.proxy.operations == [WRITE, WRITE]


def test_a_row_that_proves_the_write_is_looked_for_where_the_answer_shows_none(tokenless: Bench) -> None:
    tokenless.proxy.next(WRITE, lose_reply, canceled("None", "ConditionalCheckFailed"))
    tokenless.store.commit(new_id("op"), [tokenless.count(), Append(event(tokenless.merchant))])
    assert tokenless.proxy.operations == [WRITE, WRITE, READ]
    assert (tokenless.counter.last, tokenless.counter.version, tokenless.told) == (1, 2, 1)


def test_an_update_alone_that_was_written_over_is_a_conflict_since_nothing_proves_it(tokenless: Bench) -> None:
    tokenless.proxy.next(WRITE, lose_reply)
    tokenless.meanwhile = tokenless.somebody_counts
    with pytest.raises(WriteConflict):
        tokenless.store.commit(new_id("op"), [tokenless.count()])
    assert (tokenless.counter.last, tokenless.counter.version) == (100, 3)


def test_a_lost_request_that_another_writer_overtook_is_a_conflict_and_writes_nothing(either: Bench) -> None:
    who, told = customer(either.merchant), event(either.merchant)
    either.proxy.next(WRITE, lose_request)
    either.meanwhile = either.somebody_counts
    with pytest.raises(WriteConflict) as conflict:
        either.store.commit(new_id("op"), [Append(told), Insert(who), either.count()])
    assert conflict.value.failed == (2,)
    assert (either.counter.last, either.told) == (100, 0)
    assert either.direct.find(Customer, who.id) is None


def test_a_check_that_fails_after_a_lost_reply_does_not_hide_that_it_was_done(tokenless: Bench) -> None:
    other = customer(tokenless.merchant)
    tokenless.direct.commit(new_id("op"), [Insert(other)])
    seen = replace(other, version=1)
    tokenless.proxy.next(WRITE, lose_reply)
    tokenless.meanwhile = lambda: tokenless.direct.commit(new_id("op"), [Update(replace(seen, name="Ada"))])
    tokenless.store.commit(new_id("op"), [Unchanged(seen), Append(event(tokenless.merchant))])
    assert tokenless.told == 1


# --- busy, broken, refused


@pytest.mark.parametrize(
    "fault",
    [
        refusal("ThrottlingException"),
        refusal("ProvisionedThroughputExceededException"),
        refusal("RequestLimitExceeded"),
        refusal("TransactionInProgressException"),
        refusal("InternalServerError", 500),
        refusal("ServiceUnavailable", 503),
        canceled("None", "TransactionConflict"),
        canceled("ThrottlingError", "ProvisionedThroughputExceeded"),
    ],
)
def test_a_busy_database_is_asked_again_after_a_pause(bench: Bench, fault: Fault) -> None:
    bench.proxy.next(WRITE, fault)
    bench.store.commit(new_id("op"), [bench.count(), Append(event(bench.merchant))])
    assert bench.pauses == [0.1]
    assert (bench.counter.last, bench.told) == (1, 1)


def test_what_was_busy_is_sent_again_byte_for_byte_and_what_is_decided_anew_under_another_token(bench: Bench) -> None:
    busy = [
        canceled("TransactionConflict", "None"),
        refusal("ThrottlingException"),
        canceled("None", "ThrottlingError"),
    ]
    bench.proxy.next(WRITE, *busy)
    bench.store.commit(new_id("op"), [bench.count(), Append(event(bench.merchant))])
    assert len(bench.sent) == 4
    assert len(set(bench.sent)) == 1
    with pytest.raises(WriteConflict):
        bench.store.commit(new_id("op"), [bench.count(), Append(event(bench.merchant))])
    bench.store.commit(new_id("op"), [Update(replace(bench.counter, last=2)), Append(event(bench.merchant))])
    tokens = [json.loads(body)["ClientRequestToken"] for body in bench.sent]
    assert [tokens.index(token) for token in tokens] == [0, 0, 0, 0, 4, 5]
    assert (bench.counter.last, bench.told) == (2, 2)


def test_a_database_that_stays_busy_is_given_up_after_five_tries_and_nothing_is_written(bench: Bench) -> None:
    bench.proxy.next(WRITE, *[canceled("TransactionConflict", "None")] * 5)
    with pytest.raises(StoreUnavailable):
        bench.store.commit(new_id("op"), [bench.count(), Append(event(bench.merchant))])
    assert bench.pauses == pytest.approx([0.1, 0.2, 0.4, 0.8])
    assert (len(bench.sent), bench.counter.last, bench.told) == (5, 0, 0)


def test_pauses_are_jittered_down_to_half() -> None:
    pauses: list[float] = []
    patience = Patience(sleep=pauses.append, share=lambda: 0.0)
    for tries in (1, 2, 3, 4):
        patience.pause(tries)
    assert pauses == pytest.approx([0.05, 0.1, 0.2, 0.4])
    assert all(0 <= Patience().share() < 1 for _ in range(100))


def test_a_failed_condition_beside_a_conflict_is_an_answer(bench: Bench) -> None:
    bench.proxy.next(WRITE, canceled("TransactionConflict", "ConditionalCheckFailed"))
    with pytest.raises(WriteConflict) as conflict:
        bench.store.commit(new_id("op"), [bench.count(), Append(event(bench.merchant))])
    # As sent, puts come before updates.
    assert conflict.value.failed == (0,)
    assert (len(bench.sent), bench.pauses, bench.counter.last) == (1, [], 0)


@pytest.mark.parametrize("fault", [refusal("ValidationException"), canceled("ValidationError", "None"), canceled()])
def test_a_refusal_is_not_tried_again_and_not_dressed_up(bench: Bench, fault: Fault) -> None:
    bench.proxy.next(WRITE, fault)
    with pytest.raises(Refused):
        bench.store.commit(new_id("op"), [bench.count(), Append(event(bench.merchant))])
    assert (len(bench.sent), bench.counter.last) == (1, 0)


# --- reads


@pytest.mark.parametrize("fault", [lose_request, lose_reply, refusal("ThrottlingException")])
def test_a_read_is_repeated_once_it_went_wrong(bench: Bench, fault: Fault) -> None:
    bench.proxy.next(READ, fault)
    assert bench.store.get(NumberSeries, bench.read.id) == bench.read
    assert bench.proxy.operations == [READ, READ]


def test_a_read_without_an_answer_is_no_missing_record(bench: Bench) -> None:
    bench.proxy.next(READ, lose_reply, lose_reply)
    with pytest.raises(StoreUnavailable):
        bench.store.find(NumberSeries, bench.read.id)
    bench.proxy.next(READ, *[refusal("ThrottlingException")] * 5)
    with pytest.raises(StoreUnavailable):
        bench.store.find(NumberSeries, bench.read.id)
    assert len(bench.proxy.bodies(READ)) == 7


def test_a_missing_table_is_a_mistake_and_not_a_missing_record(bench: Bench, store_config: StoreConfig) -> None:
    lost = DynamoStore(replace(store_config, records_table="till-nowhere"))
    with pytest.raises(Refused, match="ResourceNotFoundException"):
        lost.find(Customer, "cus_1")


def test_nobody_waits_longer_than_a_second_to_connect_and_three_for_an_answer(store_config: StoreConfig) -> None:
    config = connect(store_config).client.meta.config
    assert (config.connect_timeout, config.read_timeout, config.retries["total_max_attempts"]) == (1, 3, 1)
