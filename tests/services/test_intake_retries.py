"""Events taken in and left unfinished: the scheduler comes back to each, ever more rarely, and never lets go."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from chalicelib.domain.documents.intake import StripeEvent
from chalicelib.domain.documents.timers import Timer, TimerKind
from chalicelib.services.billing.sweeping import sweep
from chalicelib.services.intake import apply_received
from chalicelib.services.ports import ProviderRefused, ProviderUnavailable, QueueName
from tests.services.shop import Shop


@pytest.fixture
def shop() -> Shop:
    return Shop()


def unfinished(shop: Shop, error: Exception | None = None) -> StripeEvent:
    """An event that was taken in while Stripe could not be asked."""
    shop.stripe.fail("confirm_with_token", effect=True)
    shop.press(shop.buyer(shop.one_time))
    [intent] = shop.stripe.intents()
    shop.stripe.fail("retrieve_intent", error)
    with pytest.raises(type(error) if error else ProviderUnavailable):
        shop.tell(shop.notice("payment_intent.succeeded", intent))
    return the_row(shop)


def the_row(shop: Shop) -> StripeEvent:
    [row] = shop.store.all(StripeEvent)
    return row


def webhook_timers(shop: Shop) -> list[Timer]:
    return [timer for timer in shop.store.timers if timer.kind is TimerKind.APPLY_WEBHOOK]


def looks_during(shop: Shop, span: timedelta) -> list[datetime]:
    """Sweep every five minutes for a while, each message handled five times as SQS would; when Stripe was asked."""
    asked: list[datetime] = []
    ends = shop.clock.now() + span
    while shop.clock.now() < ends:
        shop.after(minutes=5)
        sweep(shop.ports)
        for message in shop.queues.take(QueueName.WORK):
            if message.body["kind"] != TimerKind.APPLY_WEBHOOK:
                continue
            for _ in range(5):
                before = len(shop.stripe.calls_of("retrieve_intent"))
                try:
                    apply_received(shop.ports, str(message.body["record_id"]))
                except (ProviderUnavailable, ProviderRefused):
                    pass
                else:
                    break
                finally:
                    asked += [shop.clock.now()] * (len(shop.stripe.calls_of("retrieve_intent")) - before)
    return asked


@pytest.mark.parametrize("error", [ProviderUnavailable("down"), ProviderRefused("api_key", "revoked")])
def test_while_stripe_stays_down_for_four_days_it_is_asked_ever_more_rarely(shop: Shop, error: Exception) -> None:
    row = unfinished(shop, error)
    shop.stripe.fail("retrieve_intent", error, times=1_000)
    asked = looks_during(shop, timedelta(days=4))
    waits = [(at - before) // timedelta(minutes=1) for before, at in pairwise([row.created_at, *asked])]
    assert waits == [10, 20, 40, 80, 160, 320, *[360] * 14]
    assert (the_row(shop).state, the_row(shop).looks) == ("received", 20)
    assert [timer.due for timer in webhook_timers(shop)] == [the_row(shop).look_at]
    assert shop.payments() == []


def test_when_stripe_is_back_the_event_is_finished_within_six_hours(shop: Shop) -> None:
    unfinished(shop)
    shop.stripe.fail("retrieve_intent", times=20)
    looks_during(shop, timedelta(days=4))
    back = shop.clock.now()
    shop.until(back + timedelta(hours=6))
    assert the_row(shop).state == "done"
    assert len(shop.payments()) == 1
    assert webhook_timers(shop) == []


def test_stripes_own_delivery_does_not_wait_for_the_next_look(shop: Shop) -> None:
    unfinished(shop)
    shop.stripe.fail("retrieve_intent")
    looks_during(shop, timedelta(minutes=15))
    [intent] = shop.stripe.intents()
    assert shop.tell(shop.notice("payment_intent.succeeded", intent)) == "applied"
    assert the_row(shop).state == "done"
    assert webhook_timers(shop) == []


def test_a_message_that_comes_early_or_again_asks_nobody(shop: Shop) -> None:
    row = unfinished(shop)
    asked = len(shop.stripe.calls)
    assert apply_received(shop.ports, row.id) == "not due"
    shop.after(minutes=10)
    assert apply_received(shop.ports, row.id) == "applied"
    assert apply_received(shop.ports, row.id) == "done before"
    assert [call.operation for call in shop.stripe.calls[asked:]] == ["retrieve_intent"]


def test_of_two_workers_at_once_one_looks(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    row = unfinished(shop)
    shop.after(minutes=10)
    commits = shop.store.commit
    said: list[str] = []

    def meanwhile(operation_id: str, writes: object) -> None:
        monkeypatch.setattr(shop.store, "commit", commits)
        said.append(apply_received(shop.ports, row.id))
        commits(operation_id, writes)  # type: ignore[arg-type]

    monkeypatch.setattr(shop.store, "commit", meanwhile)
    assert apply_received(shop.ports, row.id) == "being applied by another"
    assert said == ["applied"]
    assert len(shop.payments()) == 1


def test_an_event_that_nothing_can_be_made_of_costs_one_try_and_not_one_every_few_minutes(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = unfinished(shop)
    tries = 0

    def broken(*_: object, **__: object) -> None:
        nonlocal tries
        tries += 1
        raise RuntimeError("a mistake of ours")

    monkeypatch.setattr(shop.stripe, "retrieve_intent", broken)
    shop.after(minutes=10)
    with pytest.raises(RuntimeError):
        apply_received(shop.ports, row.id)
    assert apply_received(shop.ports, row.id) == "not due"
    assert tries == 1
    assert [timer.due for timer in webhook_timers(shop)] == [shop.clock.now() + timedelta(minutes=20)]
