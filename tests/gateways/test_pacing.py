"""The pacer on time that a test moves: what it leases, how long it waits, and what it does without a database."""

from __future__ import annotations

from collections import Counter

import pytest

from chalicelib.gateways.pacing import LIVE, TEST, WEB_SECONDS, WORKER_SECONDS, SharedPacer, allowance_for
from chalicelib.gateways.stripe.gateway import StripeGateway
from chalicelib.services.ports import Allowance, ProviderBusy, ProviderUnavailable, StoreUnavailable
from tests.gateways.stripe_script import BROKEN, Script, intent_body, ok
from tests.gateways.stripe_worlds import GatewaySettings

CONFIRM = "POST /v1/payment_intents/{id}/confirm"
CREATE = "POST /v1/payment_intents"


class Time:
    """Real time, moved by whoever sleeps."""

    def __init__(self) -> None:
        self.at = 1_000.25
        self.slept: list[float] = []

    def now(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += seconds


class Leases:
    """Tokens in memory, and every lease that was asked for."""

    def __init__(self) -> None:
        self.taken: Counter[tuple[int, str]] = Counter()
        self.asked: list[tuple[int, str, int]] = []
        self.down = False

    def lease(self, second: int, endpoint: str, wanted: int, allowance: Allowance) -> int:
        self.asked.append((second, endpoint, wanted))
        if self.down:
            raise StoreUnavailable("down")
        total = sum(count for (at, _), count in self.taken.items() if at == second)
        got = max(0, min(wanted, allowance.endpoint - self.taken[second, endpoint], allowance.total - total))
        self.taken[second, endpoint] += got
        return got


def pacer(leases: Leases, time: Time, allowance: Allowance = TEST, patience: float = 60.0) -> SharedPacer:
    return SharedPacer(leases, allowance, patience_seconds=patience, now=time.now, sleep=time.sleep, chance=lambda: 0.5)


def test_the_budget_is_a_fifth_below_stripes_limits_and_workers_leave_a_reserve() -> None:
    assert (Allowance(20, 80), Allowance(20, 20)) == (LIVE, TEST)
    assert allowance_for(livemode=True, buyer_waits=True) == LIVE
    assert allowance_for(livemode=True, buyer_waits=False) == Allowance(18, 78)
    assert allowance_for(livemode=False, buyer_waits=False) == Allowance(18, 18)
    assert allowance_for(livemode=True, buyer_waits=False, pace=(100, 400)) == Allowance(90, 390)


def test_one_call_leases_one_token_and_does_not_wait() -> None:
    leases, time = Leases(), Time()
    pacer(leases, time).take(CONFIRM)
    assert leases.asked == [(1000, CONFIRM, 1)]
    assert time.slept == []


def test_a_second_has_its_budget_and_who_comes_later_waits_for_the_next() -> None:
    leases, time = Leases(), Time()
    paced = pacer(leases, time)
    for _ in range(21):
        paced.take(CONFIRM)
    assert time.slept == [0.775]
    assert leases.taken == {(1000, CONFIRM): 20, (1001, CONFIRM): 10}


def test_what_was_used_in_a_second_is_leased_with_few_writes_in_the_next() -> None:
    leases, time = Leases(), Time()
    paced = pacer(leases, time)
    for _ in range(18):
        paced.take(CONFIRM)
    time.at = 1_001.0
    leases.asked.clear()
    for _ in range(18):
        paced.take(CONFIRM)
    assert leases.asked == [(1001, CONFIRM, 10), (1001, CONFIRM, 8)]


def test_a_token_in_hand_is_not_good_for_another_second_or_another_endpoint() -> None:
    leases, time = Leases(), Time()
    paced = pacer(leases, time)
    for at in (1_000.0, 1_001.0, 1_002.0):
        time.at = at
        paced.take(CONFIRM)
        paced.take(CREATE)
    assert leases.asked == [(second, endpoint, 1) for second in (1000, 1001, 1002) for endpoint in (CONFIRM, CREATE)]


def test_all_endpoints_together_have_a_budget_too() -> None:
    leases, time = Leases(), Time()
    paced = pacer(leases, time, LIVE)
    for call in range(81):
        paced.take(f"GET /v1/endpoint_{call % 8}")
    assert len(time.slept) == 1
    assert sum(count for (second, _), count in leases.taken.items() if second == 1000) == 80


def test_a_page_finds_its_reserve_in_the_middle_of_a_billing_run() -> None:
    leases, time = Leases(), Time()
    worker = pacer(leases, time, allowance_for(livemode=True, buyer_waits=False))
    page = pacer(leases, time, allowance_for(livemode=True, buyer_waits=True), patience=WEB_SECONDS)
    for _ in range(18):
        worker.take(CONFIRM)
    page.take(CONFIRM)
    page.take(CONFIRM)
    assert time.slept == []
    page.take(CONFIRM)
    assert time.slept == [0.775]


def late_worker(leases: Leases, time: Time) -> SharedPacer:
    """A worker that may have what pages left, when most of a second is over."""
    allowance = allowance_for(livemode=True, buyer_waits=False)
    return SharedPacer(
        leases, allowance, patience_seconds=60.0, now=time.now, late=LIVE, sleep=time.sleep, chance=lambda: 0.5
    )


def test_a_worker_takes_what_pages_left_of_a_second_when_three_quarters_of_it_are_over() -> None:
    leases, time = Leases(), Time()
    worker = late_worker(leases, time)
    for _ in range(18):
        worker.take(CONFIRM)
    assert time.slept == []
    for _ in range(2):
        worker.take(CONFIRM)
    assert time.slept == [0.525]
    assert leases.taken == {(1000, CONFIRM): 20}
    worker.take(CONFIRM)
    assert time.slept == pytest.approx([0.525, 0.25])
    assert leases.taken[1001, CONFIRM] == 9


def test_a_worker_finds_nothing_late_in_a_second_where_pages_had_it() -> None:
    leases, time = Leases(), Time()
    worker, page = late_worker(leases, time), pacer(leases, time, LIVE, patience=WEB_SECONDS)
    for _ in range(18):
        worker.take(CONFIRM)
    page.take(CONFIRM)
    page.take(CONFIRM)
    worker.take(CONFIRM)
    assert time.slept == pytest.approx([0.525, 0.25])
    assert leases.taken == {(1000, CONFIRM): 20, (1001, CONFIRM): 9}


def test_a_page_that_comes_after_late_workers_waits_for_the_rest_of_the_second() -> None:
    leases, time = Leases(), Time()
    worker, page = late_worker(leases, time), pacer(leases, time, LIVE, patience=WEB_SECONDS)
    for _ in range(20):
        worker.take(CONFIRM)
    page.take(CONFIRM)
    assert time.slept == pytest.approx([0.525, 0.25])
    assert leases.taken == {(1000, CONFIRM): 20, (1001, CONFIRM): 1}


def test_a_lease_that_comes_when_its_second_is_over_is_not_used_and_another_is_asked_for() -> None:
    class Slow(Leases):
        def lease(self, second: int, endpoint: str, wanted: int, allowance: Allowance) -> int:
            got = super().lease(second, endpoint, wanted, allowance)
            if second == 1000:
                time.at = 1_001.5
            return got

    leases, time = Slow(), Time()
    pacer(leases, time).take(CONFIRM)
    assert leases.taken == {(1000, CONFIRM): 1, (1001, CONFIRM): 1}
    assert time.slept == []


def test_a_page_gives_up_after_about_a_second_and_a_worker_after_ten() -> None:
    for patience, longest in ((WEB_SECONDS, 1.1), (WORKER_SECONDS, 10.0)):
        leases, time = Leases(), Time()
        with pytest.raises(ProviderBusy):
            pacer(leases, time, Allowance(endpoint=0, total=0), patience).take(CONFIRM)
        assert longest - 1.05 < sum(time.slept) <= longest
        assert leases.taken.total() == 0


def test_without_a_database_calls_go_out_unpaced_and_it_is_said(caplog: pytest.LogCaptureFixture) -> None:
    leases, time = Leases(), Time()
    leases.down = True
    pacer(leases, time).take(CONFIRM)
    assert time.slept == []
    assert [record.message for record in caplog.records] == ["unpaced"]


def gateway(script: Script, paced: SharedPacer) -> StripeGateway:
    return StripeGateway(GatewaySettings(), timeout_seconds=20.0, client=script, sleep=lambda _: None, pacer=paced)


def test_each_request_on_the_wire_takes_a_token_of_its_endpoint_retries_too() -> None:
    leases, script = Leases(), Script(BROKEN, ok(intent_body()))
    gateway(script, pacer(leases, Time())).retrieve_intent("acct_1", "pi_3NkQ1")
    assert leases.taken == {(1000, "GET /v1/payment_intents/{id}"): 2}


def test_a_call_that_is_held_back_was_never_sent() -> None:
    script = Script(ok(intent_body()))
    with pytest.raises(ProviderBusy):
        gateway(script, pacer(Leases(), Time(), Allowance(0, 0), WEB_SECONDS)).retrieve_intent("acct_1", "pi_1")
    assert script.sent == []


def test_a_retry_that_is_held_back_leaves_the_first_tries_outcome_unknown() -> None:
    script = Script(BROKEN, ok(intent_body()))
    with pytest.raises(ProviderUnavailable):
        gateway(script, pacer(Leases(), Time(), Allowance(1, 1), 0.5)).retrieve_intent("acct_1", "pi_1")
    assert len(script.sent) == 1
