"""The seam is the only way out, and each edge crosses it once for each request on the wire."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import pytest
import stripe

from chalicelib.domain.documents.merchants import Merchant
from chalicelib.domain.documents.timers import Timer, TimerKind
from chalicelib.domain.money.amounts import Money
from chalicelib.gateways.mail import SesMailer
from chalicelib.gateways.queues import SqsQueues
from chalicelib.gateways.stripe.gateway import StripeGateway
from chalicelib.gateways.stripe.transport import operation_of
from chalicelib.services.ports import (
    MailUnavailable,
    Message,
    NewIntent,
    OutgoingMail,
    ProviderBusy,
    ProviderUnavailable,
    QueueName,
    QueueUnavailable,
    Service,
    SetTimer,
    StoreUnavailable,
)
from chalicelib.settings import Settings
from chalicelib.storage.patience import Patience
from chalicelib.storage.store import DynamoStore
from chalicelib.wiring import Wired
from infra.local.faults import ANY, Fault, FaultKind, FaultSeam, Killed
from infra.local.stripe_sandbox import Misbehaviour
from tests.faults.world import ACCOUNT, World, no_sleep

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[2]
SOMEWHERE = "http://127.0.0.1:9"
NOW = datetime(2027, 1, 15, 12, tzinfo=UTC)
TIMER = Timer(TimerKind.SEND_MAIL, "mail_1", "mer_pinewood", NOW)
MAIL = OutgoingMail("mail_1", "Pinewood Studio", "ada@example.com", "Receipt", "Thank you.", "<p>Thank you.</p>")


class Refused(BaseException):
    """The seam lets nothing through."""


class Wall:
    """A seam that refuses everything, and remembers what."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def cross(self, service: Service, operation: str, send: Callable[[], T]) -> T:
        self.asked.append(f"{service} {operation}")
        raise Refused


# An audit hook stays for the life of a process, so there is one, and it is told when to listen.
_listening: list[list[Any]] = []
sys.addaudithook(lambda event, args: _listening[-1].append(args) if _listening and event == "socket.connect" else None)


@contextmanager
def connections() -> Iterator[list[Any]]:
    """Every connection that anything in this process begins meanwhile."""
    begun: list[Any] = []
    _listening.append(begun)
    try:
        yield begun
    finally:
        _listening.remove(begun)


@pytest.fixture
def settings(world: World) -> Settings:
    return replace(world.settings, aws_endpoint=SOMEWHERE)


DOORS: dict[str, Callable[[Wired], object]] = {
    "dynamodb GetItem": lambda ports: ports.records.find(Merchant, "mer_pinewood"),
    "dynamodb BatchGetItem": lambda ports: ports.records.find_many([(Merchant, "mer_pinewood")]),
    "dynamodb TransactWriteItems": lambda ports: ports.records.commit("op_1", [SetTimer(TIMER)]),
    "dynamodb Query": lambda ports: ports.timers.due_before(0, NOW, limit=1),
    "dynamodb DeleteItem": lambda ports: ports.timers.drop(TIMER),
    # The pacer leases tokens before Stripe is asked.
    "dynamodb UpdateItem": lambda ports: ports.stripe.retrieve_intent(ACCOUNT, "pi_3NkAbc1"),
    "dynamodb Scan": lambda ports: list(ports.inspection.timers()),
    "sqs SendMessageBatch": lambda ports: ports.queues.send(QueueName.WORK, [Message({"a": 1})]),
    "ses SendEmail": lambda ports: ports.mailer.send(MAIL),
}


@pytest.mark.parametrize("door", DOORS)
def test_what_the_seam_refuses_never_leaves_the_process(world: World, settings: Settings, door: str) -> None:
    wall = Wall()
    wired = Wired(settings, world.clock, buyer_waits=True, seam=wall)
    with connections() as begun, pytest.raises(Refused):
        DOORS[door](wired)
    assert (wall.asked, begun) == ([door], [])


ASKED_OF_STRIPE: dict[str, Callable[[StripeGateway], object]] = {
    "POST /v1/customers": lambda stripe: stripe.create_customer(ACCOUNT, email="", name="", metadata={}, key="k"),
    "POST /v1/payment_intents": lambda stripe: stripe.create_intent(
        ACCOUNT, NewIntent(Money(100, "usd"), "cus_1", {}), key="k"
    ),
    "POST /v1/payment_intents/{id}/confirm": lambda stripe: stripe.confirm_off_session(
        ACCOUNT, "pi_3NkAbc1", payment_method_id="pm_1", key="k"
    ),
    "POST /v1/payment_intents/{id}/cancel": lambda stripe: stripe.cancel_intent(ACCOUNT, "pi_3NkAbc1", key="k"),
    "GET /v1/payment_intents/{id}": lambda stripe: stripe.retrieve_intent(ACCOUNT, "pi_3NkAbc1"),
    "GET /v1/payment_intents": lambda stripe: stripe.find_intents(ACCOUNT, customer_id="cus_1"),
    "GET /v1/charges/{id}": lambda stripe: stripe.retrieve_charge(ACCOUNT, "ch_3NkAbc1"),
}


@pytest.mark.parametrize("operation", ASKED_OF_STRIPE)
def test_every_request_to_stripe_crosses_under_its_own_name(settings: Settings, operation: str) -> None:
    wall = Wall()
    gateway = StripeGateway(settings, timeout_seconds=1.0, seam=wall)
    with connections() as begun, pytest.raises(Refused):
        ASKED_OF_STRIPE[operation](gateway)
    assert (wall.asked, begun) == ([f"stripe {operation}"], [])


@pytest.mark.parametrize(
    ("path", "operation"),
    [
        ("/v1/payment_intents/pi_3NkAbc1/confirm?expand=x", "POST /v1/payment_intents/{id}/confirm"),
        ("/v1/payment_intents", "POST /v1/payment_intents"),
        ("/v1/payment_method_domains/pmd_1Nk/validate", "POST /v1/payment_method_domains/{id}/validate"),
        ("/v1/accounts/acct_1Nk/capabilities/card_payments", "POST /v1/accounts/{id}/capabilities/card_payments"),
        ("/v1/test_helpers/confirmation_tokens", "POST /v1/test_helpers/confirmation_tokens"),
        ("/v2/core/accounts/acct_1Nk", "POST /v2/core/accounts/{id}"),
    ],
)
def test_an_operation_has_no_ids_and_no_query(path: str, operation: str) -> None:
    assert operation_of("post", f"https://api.stripe.com{path}") == operation


# --- nothing else can send

SENDERS = {
    "boto3": set[str](),
    "botocore.session": {"gateways/aws.py"},
    "http_client": set[str](),
    "http.client": set[str](),
    "httpx": set[str](),
    # For a proxy: the sessions of stripe's client, which stands behind the seam.
    "requests": {"gateways/stripe/transport.py"},
    "socket": {"aws/connections.py"},
    "smtplib": set[str](),
    "ssl": {"aws/connections.py"},
    # Asked for the environment's proxies.
    "urllib.request": {"gateways/stripe/transport.py"},
    "urllib3": set[str](),
}
"""What can open a connection, and the files of chalicelib that may import it."""

MAKERS = {
    "client": set[str](),
    "Connection": {"storage/connection.py"},
    # Both send behind the seam: each request of a service, and stripe's client within its logged one.
    "Connections": {"aws/services.py", "gateways/stripe/transport.py"},
    "JsonService": {"storage/tables.py", "gateways/sqs.py"},
    "DirectSqs": {"gateways/queues.py"},
    "DirectTables": {"storage/store.py"},
    "_SeamedConnection": {"storage/connection.py"},
    "RequestsClient": {"gateways/stripe/transport.py"},
    "create_client": {"gateways/aws.py"},
    "resource": set[str](),
}
"""What makes a client, and where that may be called."""


def chalicelib_trees() -> list[tuple[str, ast.Module]]:
    base = ROOT / "chalicelib"
    return [(str(path.relative_to(base)), ast.parse(path.read_text(encoding="utf-8"))) for path in base.rglob("*.py")]


def test_only_the_edges_import_what_can_open_a_connection() -> None:
    found: dict[str, set[str]] = {name: set() for name in SENDERS}
    for file, tree in chalicelib_trees():
        for node in ast.walk(tree):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
            for name in names:
                if name in found:
                    found[name].add(file)
    assert found == SENDERS


def test_clients_are_made_only_where_they_are_put_behind_the_seam() -> None:
    found: dict[str, set[str]] = {name: set() for name in MAKERS}
    unseamed = []
    for file, tree in chalicelib_trees():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            name = ast.unparse(node.func).rpartition(".")[2]
            if name in found:
                found[name].add(file)
            given = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            if name == "StripeClient" and given.get("http_client") != "self._http":
                unseamed.append(f"{file}:{node.lineno}")
            if name == "LoggedClient" and given.get("seam") != "seam":
                unseamed.append(f"{file}:{node.lineno}")
            if name == "JsonService" and given.get("seam") != "seam":
                unseamed.append(f"{file}:{node.lineno}")
            if name == "DirectSqs" and given.get("seam") != "self._seam":
                unseamed.append(f"{file}:{node.lineno}")
            if name == "DirectTables" and ast.unparse(node.args[-1]) != "self._seam":
                unseamed.append(f"{file}:{node.lineno}")
    # PynamoDB's connection is made through its subclass alone.
    assert found == MAKERS | {"Connection": set()}
    assert unseamed == []


# --- what the machine's seam can do


def fault(service: str, kind: FaultKind, **more: Any) -> Fault:
    return Fault(service, ANY, kind, **more)


def store(world: World, seam: FaultSeam) -> DynamoStore:
    assert world.settings.dynamodb_endpoint is not None
    return DynamoStore(world.tables, patience=Patience(sleep=no_sleep), seam=seam)


def test_after_a_kill_nothing_of_that_life_gets_through_and_others_live_on(world: World) -> None:
    seam = FaultSeam()
    records = store(world, seam)
    with seam.life([fault("dynamodb", FaultKind.KILL, nth=2)]) as life:
        assert records.find(Merchant, "mer_nobody") is None
        for _ in range(3):
            with pytest.raises(Killed):
                records.find(Merchant, "mer_nobody")
        assert (life.killed, len(life.calls)) == (True, 2)
    with seam.life() as other:
        assert records.find(Merchant, "mer_nobody") is None
    assert (other.killed, records.find(Merchant, "mer_nobody")) == (False, None)


def test_a_kill_after_the_call_lets_it_happen(world: World) -> None:
    world.put_back()
    seam = FaultSeam()
    records = store(world, seam)
    for after, there in ((False, []), (True, [TIMER])):
        with seam.life([fault("dynamodb", FaultKind.KILL, effect=after)]), pytest.raises(Killed):
            records.commit(f"op_{uuid4()}", [SetTimer(TIMER)])
        assert records.due_before(TIMER.shard, NOW, limit=5) == there


def test_faults_count_the_calls_that_they_are_for_and_end() -> None:
    seam = FaultSeam()
    seam.add(Fault("stripe", "POST /v1/refunds", FaultKind.TIMEOUT, nth=2, times=2))
    answers = []
    with seam.life():
        for operation in ("POST /v1/refunds", "GET /v1/refunds", *["POST /v1/refunds"] * 3):
            try:
                answers.append(seam.cross("stripe", operation, lambda: "sent"))
            except stripe.APIConnectionError:
                answers.append("timed out")
    assert answers == ["sent", "sent", "timed out", "timed out", "sent"]


def test_outside_of_a_request_or_job_no_fault_is_met() -> None:
    seam = FaultSeam()
    seam.add(fault(ANY, FaultKind.KILL))
    assert seam.cross("dynamodb", "Query", lambda: "sent") == "sent"
    seam.clear()
    with seam.life():
        assert seam.cross("dynamodb", "Query", lambda: "sent") == "sent"


@pytest.mark.parametrize("kind", [FaultKind.THROTTLE, FaultKind.ERROR, FaultKind.TIMEOUT, FaultKind.LOST_REPLY])
def test_the_database_is_asked_again_and_then_given_up(world: World, kind: FaultKind) -> None:
    seam = FaultSeam()
    records = store(world, seam)
    with seam.life([fault("dynamodb", kind)]) as life:
        assert records.find(Merchant, "mer_nobody") is None
    assert len(life.calls) == 2
    with seam.life([fault("dynamodb", kind, times=9)]), pytest.raises(StoreUnavailable):
        records.find(Merchant, "mer_nobody")


@pytest.mark.parametrize("effect", [False, True])
def test_a_write_whose_answer_was_lost_is_done_once(world: World, effect: bool) -> None:
    world.put_back()
    seam = FaultSeam()
    records = store(world, seam)
    with seam.life([fault("dynamodb", FaultKind.LOST_REPLY, effect=effect)]):
        # An operation of its own each time: DynamoDB remembers a token for ten minutes, whatever became of the table.
        records.commit(f"op_{uuid4()}", [SetTimer(TIMER)])
    assert records.due_before(TIMER.shard, NOW, limit=5) == [TIMER]


@pytest.mark.parametrize("kind", [FaultKind.THROTTLE, FaultKind.ERROR, FaultKind.TIMEOUT, FaultKind.LOST_REPLY])
def test_mail_and_queue_and_stripe_say_in_their_own_words_that_there_was_no_answer(
    settings: Settings, kind: FaultKind
) -> None:
    seam = FaultSeam()
    plan = [fault(ANY, kind, times=9)]
    with connections() as begun:
        with seam.life(plan), pytest.raises(MailUnavailable):
            SesMailer(settings, seam=seam).send(MAIL)
        with seam.life(plan), pytest.raises(QueueUnavailable):
            SqsQueues(settings, seam=seam).send(QueueName.WORK, [Message({"a": 1})])
        with seam.life(plan), pytest.raises((ProviderUnavailable, ProviderBusy)):
            StripeGateway(settings, timeout_seconds=1.0, sleep=no_sleep, seam=seam).retrieve_intent(ACCOUNT, "pi_3Nk1")
    assert begun == []


def test_an_error_of_stripes_is_left_to_stripes_side_which_keeps_it_for_the_key(world: World) -> None:
    world.put_back()
    told = []

    def misbehave(operation: str, status: int, effect: bool) -> None:
        told.append((operation, status, effect))
        world.sandbox.misbehave(Misbehaviour(operation, status, effect))

    seam = FaultSeam(misbehave)
    gateway = StripeGateway(world.settings, timeout_seconds=5.0, sleep=no_sleep, seam=seam)
    with seam.life([fault("stripe", FaultKind.ERROR, code=503)]):
        gateway.create_customer(ACCOUNT, email="ada@example.com", name="Ada", metadata={}, key="cus-1")
    gateway.close()
    assert told == [("POST /v1/customers", 503, False)]
    asked = [(each["idempotency_key"], each["status"]) for each in world.sandbox.listing("requests")]
    # One fault, and the same answer to the same key again.
    assert asked[:2] == [("cus-1", 503), ("cus-1", 503)]
