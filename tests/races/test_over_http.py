"""Sixteen connections at once to the machine as it is run: pages, webhooks and the scheduler.

Calls to Stripe are paced here as they are in a deployment, so a buyer may be told to try again in a moment, and does.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from typing import Any

import pytest

from infra.local.__main__ import LOGS
from tests.journeys.console import Api, Control, RunningMachine, ask
from tests.races.at_once import THREADS, at_once
from tests.races.visitors import Said, Stripe, Visit, send

BOUGHT = "2027-01-31T20:30:00Z"
RENEWS = "2027-02-28T20:30:00Z"


@pytest.fixture(scope="module")
def machine(dynamodb_endpoint: str, request: pytest.FixtureRequest) -> RunningMachine:
    """The machine. `dynamodb_endpoint` says first whether there is a DynamoDB Local: moto would not do."""
    found: RunningMachine = request.getfixturevalue("running_machine")
    return found


@pytest.fixture
def control(machine: RunningMachine) -> Iterator[Control]:
    """The control plane of a machine in seed state. The race ends with everything checked, and no error in the log."""
    control = machine.control
    control.post("/reset")
    log = LOGS / f"till-{machine.web_port}.log"
    before = len(log.read_text())
    yield control
    control.settle()
    check(control)
    lines = [json.loads(line) for line in log.read_text()[before:].splitlines() if line.startswith("{")]
    assert lines
    assert [line for line in lines if line.get("level") in ("error", "critical")] == []


def check(control: Control) -> None:
    """What must be so after every race, whoever won."""
    api = control.api()
    invoices, payments = api.all("/invoices"), api.all("/payments")
    assert sorted(each["number"] for each in invoices) == [f"INV-{n:04d}" for n in range(1, len(invoices) + 1)]
    succeeded = [each for each in control.stripe("payment_intents") if each["status"] == "succeeded"]
    parts = Counter((each["metadata"]["till_invoice"], each["metadata"]["till_part"]) for each in succeeded)
    assert set(parts.values()) <= {1}
    charges = [each["payment_intent"] for each in control.stripe("charges") if each["status"] == "succeeded"]
    assert sorted(charges) == sorted(each["id"] for each in succeeded)
    booked = [each for each in payments if each["status"] == "succeeded"]
    assert sorted(each["amount"] for each in booked) == sorted(each["amount"] for each in succeeded)
    assert sorted(each["invoice"] for each in booked) == sorted(each["metadata"]["till_invoice"] for each in succeeded)
    report = control.get("/check")
    assert report["violations"] == []


@pytest.fixture
def stripe(control: Control) -> Stripe:
    info = control.info()
    return Stripe(info["stripe_url"], info["stripe_secret_key"], info["webhook_secret"])


@pytest.fixture
def api(control: Control) -> Api:
    return control.api()


def endings(said: list[Said]) -> Counter[str]:
    """How often the script was told what; every press was answered as the script expects."""
    assert {each.status for each in said} == {200}
    return Counter(each.body["status"] for each in said)


def test_sixteen_presses_of_one_form_charge_once(control: Control, api: Api, stripe: Stripe) -> None:
    page = Visit.of(control.info()["links"]["one_time"], stripe)
    visits = [page.filled() for _ in range(THREADS)]
    said = endings(at_once([visit.press for visit in visits]))
    assert said["paid"] >= 1
    assert set(said) <= {"paid", "checking"}
    assert len(api.all("/invoices")) == 1
    [again] = [visits[0].press()]
    assert again.body["status"] == "paid"
    assert send("GET", again.body["location"]).status == 200


def test_two_buyers_with_one_checkouts_cookie_and_two_cards_pay_it_once(
    control: Control, api: Api, stripe: Stripe
) -> None:
    link = control.info()["links"]["one_time"]
    first = Visit.of(link, stripe)
    tabs = [Visit.of(link, stripe, first.cookie) for _ in range(2)]
    assert {tab.cookie for tab in tabs} == {first.cookie}
    filled = [tabs[0].filled(), tabs[1].filled("ben@example.com", "Ben", "pm_card_mastercard")]
    said = endings(at_once([tab.press for tab in filled]))
    assert said["paid"] >= 1
    assert set(said) <= {"paid", "checking"}
    assert len(api.all("/invoices")) == 1


def test_sixteen_buyers_on_one_link_get_sixteen_numbers(control: Control, api: Api, stripe: Stripe) -> None:
    link = control.info()["links"]["monthly"]
    visits = [Visit.of(link, stripe).filled(f"buyer{n}@example.com") for n in range(THREADS)]

    def buy(visit: Visit, number: int) -> int:
        for presses in range(1, 20):
            said = visit.press()
            assert said.status == 200
            if said.body["status"] == "paid":
                return presses
            # Stripe's budget of this second was used up: "try again in a moment".
            assert said.body["status"] == "declined", said
            visit = visit.filled(f"buyer{number}@example.com")
        raise AssertionError("nineteen presses did not pay")

    at_once([partial(buy, visit, number) for number, visit in enumerate(visits)])
    assert [invoice["status"] for invoice in api.all("/invoices")] == ["paid"] * THREADS
    assert len(api.all("/subscriptions")) == len(api.all("/customers")) == THREADS


def test_fifty_deliveries_of_one_event_and_return_pages_at_once_book_it_once(
    control: Control, api: Api, stripe: Stripe, machine: RunningMachine
) -> None:
    control.hold_webhooks()
    visit = Visit.of(control.info()["links"]["one_time"], stripe).filled(card="pm_card_authenticationRequired")
    said = visit.press()
    assert said.body["status"] == "requires_action"
    [intent] = control.stripe("payment_intents")
    stripe.answer_challenge(intent)
    [event] = [each for each in control.stripe("events") if each["type"] == "payment_intent.succeeded"]
    at = int(datetime.fromisoformat(control.get("/clock")["now"]).timestamp())
    event = {**event, "account": visit.account}
    hooks = [partial(stripe.deliver, f"{machine.base_url}/webhooks/stripe", event, at) for _ in range(50)]
    pages = [partial(send, "GET", said.body["location"] + "/status") for _ in range(4)]
    answers = at_once([*hooks, *pages])
    assert {each.status for each in answers[:50]} <= {200, 503}
    assert {each.status for each in answers} <= {200, 503}
    assert 200 in {each.status for each in answers[:50]}
    assert [invoice["status"] for invoice in api.all("/invoices")] == ["paid"]
    control.release_webhooks()
    control.settle()
    types = [each["type"] for each in api.all("/events")]
    assert types.count("payment.succeeded") == types.count("invoice.paid") == types.count("checkout.completed") == 1
    assert len(control.mail()) == 1


def test_a_buyer_on_the_invoices_page_and_the_scheduler_charge_it_once(
    control: Control, api: Api, stripe: Stripe
) -> None:
    control.set_clock(BOUGHT)
    Visit.of(control.info()["links"]["monthly"], stripe).filled().press()
    control.settle()
    # Workers that charge die before they make an intent, those that issue make none: its charge stays due.
    control.post(
        "/faults", {"service": "stripe", "operation": "POST /v1/payment_intents", "kind": "kill", "times": 1_000}
    )
    control.set_clock(RENEWS)
    ask("DELETE", f"{control.url}/faults", {})
    [open_invoice] = [each for each in api.all("/invoices") if each["status"] == "open"]
    assert len(control.stripe("payment_intents")) == 1
    page = Visit.of(f"{open_invoice['hosted_url']}/pay", stripe)
    visits = [page.filled(page.fields["email"], page.fields["name"]) for _ in range(THREADS - 2)]
    settles = [partial(ask, "POST", f"{control.url}/settle", {}) for _ in range(2)]
    answers: list[Any] = at_once([*[visit.press for visit in visits], *settles])
    said = endings(answers[: THREADS - 2])
    assert set(said) <= {"paid", "checking", "declined"}
    control.settle()
    assert [each["status"] for each in api.all("/invoices")] == ["paid", "paid"]
    assert len([each for each in control.stripe("charges") if each["status"] == "succeeded"]) == 2


def test_a_link_edited_while_it_is_pressed_charges_what_each_buyer_saw_or_nothing(
    control: Control, api: Api, stripe: Stripe
) -> None:
    link = control.info()["links"]["one_time"]
    [made] = [each for each in api.all("/payment_links") if each["url"] == link]
    visits = [Visit.of(link, stripe).filled(f"buyer{n}@example.com") for n in range(8)]
    dearer = {"lines": [{"name": "Portrait session, one hour", "unit_amount": 15_000, "quantity": 1}]}
    answers: list[Any] = at_once(
        [*[visit.press for visit in visits], partial(api.post, f"/payment_links/{made['id']}", dearer)]
    )
    assert answers[-1].status == 200
    said = endings(answers[:-1])
    assert set(said) <= {"paid", "changed", "declined"}
    assert [each["totals"]["total"] for each in api.all("/invoices")] == [14_800] * said["paid"]
