"""Our own requests to SQS beside botocore's, on moto and a scripted service: the same messages, refusals, silences."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
import pytest
from botocore.session import get_session
from moto.server import ThreadedMotoServer

from chalicelib.aws.services import address_of
from chalicelib.aws.signing import Credentials
from chalicelib.gateways.aws import aws_client
from chalicelib.gateways.queues import SqsQueues
from chalicelib.gateways.sqs import BotocoreSqs, DirectSqs, Sqs
from chalicelib.services.ports import OPEN, Message, QueueName, QueueUnavailable, Service
from tests.gateways.test_queues import QueueSettings

REGION = "us-east-1"
KEYS = Credentials("local", "local")
WAYS = ("ours", "botocore's")

Answer = tuple[int, Mapping[str, str], bytes] | None
TAKEN: Answer = (200, {}, b'{"Successful":[{"Id":"0"}],"Failed":[]}')


class Pauses:
    """What was slept, with the longest of each pause."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


def direct(endpoint: str, keys: Credentials = KEYS, sleep: Pauses | None = None) -> DirectSqs:
    return DirectSqs(keys, region=REGION, endpoint=endpoint, seam=OPEN, sleep=sleep or Pauses(), chance=lambda: 1.0)


def way_to(way: str, endpoint: str) -> Sqs:
    if way == "ours":
        return direct(endpoint)
    return BotocoreSqs(aws_client("sqs", region=REGION, endpoint=endpoint, read_seconds=2.0, tries=1, seam=OPEN))


# --- what arrives


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


class Shelf:
    """Two queues of moto's, and what is in them."""

    def __init__(self, endpoint: str, name: str) -> None:
        self.sqs: Any = boto3.client("sqs", region_name=REGION, endpoint_url=endpoint)
        fifo = {"FifoQueue": "true"}
        self.plain: str = self.sqs.create_queue(QueueName=name)["QueueUrl"]
        self.fifo: str = self.sqs.create_queue(QueueName=f"{name}.fifo", Attributes=fifo)["QueueUrl"]

    def taken(self, url: str) -> list[tuple[str, str | None, str | None]]:
        """Body, group and deduplication id of each message, in the order handed out."""
        found = []
        while True:
            answer = self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, AttributeNames=["All"])
            if not answer.get("Messages"):
                return found
            for each in answer["Messages"]:
                attributes = each["Attributes"]
                group, dedupe = attributes.get("MessageGroupId"), attributes.get("MessageDeduplicationId")
                found.append((each["Body"], group, dedupe))
                self.sqs.delete_message(QueueUrl=url, ReceiptHandle=each["ReceiptHandle"])


@pytest.mark.parametrize("way", WAYS)
def test_a_batch_of_ten_arrives_whole_whatever_its_letters(moto: str, way: str) -> None:
    shelf = Shelf(moto, f"ten-{WAYS.index(way)}")
    bodies = [json.dumps({"n": n, "name": "Zoë “Z” \n"}, ensure_ascii=False) for n in range(10)]
    entries = [{"Id": str(n), "MessageBody": body} for n, body in enumerate(bodies)]
    assert way_to(way, moto).send_batch(shelf.plain, entries) == []
    assert sorted(shelf.taken(shelf.plain)) == sorted((body, None, None) for body in bodies)


@pytest.mark.parametrize("way", WAYS)
def test_a_fifo_queue_gets_groups_and_ids_and_a_repeat_once(moto: str, way: str) -> None:
    shelf = Shelf(moto, f"fifo-{WAYS.index(way)}")
    entries = [
        {"Id": str(n), "MessageBody": f"{n}", "MessageGroupId": "mer_1", "MessageDeduplicationId": f"sub_1#{n}"}
        for n in range(3)
    ]
    for _ in range(2):
        assert way_to(way, moto).send_batch(shelf.fifo, entries) == []
    assert shelf.taken(shelf.fifo) == [(f"{n}", "mer_1", f"sub_1#{n}") for n in range(3)]


@pytest.mark.parametrize("way", WAYS)
def test_a_queue_that_there_is_none_of_is_unavailable_and_named_by_code(moto: str, way: str) -> None:
    with pytest.raises(QueueUnavailable) as refused:
        way_to(way, moto).send_batch(f"{moto}/1/nowhere", [{"Id": "0", "MessageBody": "a"}])
    assert "NonExistentQueue" in str(refused.value.__cause__) or "QueueDoesNotExist" in str(refused.value)


def test_the_queues_of_a_deployment_are_reached_by_either_way(moto: str) -> None:
    shelf = Shelf(moto, "deployed")
    settings = QueueSettings(aws_endpoint=moto, work_queue_url=shelf.plain, billing_queue_url=shelf.fifo)
    for keys in (KEYS, None):
        queues = SqsQueues(settings, credentials=keys)
        queues.send(QueueName.WORK, [Message({"n": n}) for n in range(12)])
        assert sorted(json.loads(body)["n"] for body, *_ in shelf.taken(shelf.plain)) == list(range(12))


# --- what is said, and what comes back


class Scripted:
    """A service that gives one answer after the other, and keeps what it was asked. None hangs up without a word."""

    def __init__(self, answers: Sequence[Answer]) -> None:
        left = list(answers)
        self.asked: list[tuple[dict[str, str], bytes]] = []
        asked = self.asked

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                asked.append(({name.lower(): value for name, value in self.headers.items()}, body))
                answer = left.pop(0)
                if answer is None:
                    self.close_connection = True
                    return
                status, headers, content = answer
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(content))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Scripted:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


ENTRIES = [
    {"Id": "0", "MessageBody": '{"name":"Zoë “Z”"}', "MessageGroupId": "g", "MessageDeduplicationId": "d"},
    {"Id": "1", "MessageBody": "{}", "MessageGroupId": "g", "MessageDeduplicationId": "e"},
]
QUEUE = "https://sqs.us-east-1.amazonaws.com/123456789012/billing.fifo"


def test_what_is_asked_is_what_botocore_asks() -> None:
    said = []
    for way in WAYS:
        with Scripted([TAKEN]) as service:
            way_to(way, service.url).send_batch(QUEUE, ENTRIES)
        ((headers, body),) = service.asked
        signed = headers["authorization"].partition("Signature=")[0].partition("Credential=")[2]
        names = ("content-type", "x-amz-target")
        said.append((json.loads(body), [headers[name] for name in names], signed.partition(",")[0]))
    assert said[0] == said[1]
    assert said[0][1] == ["application/x-amz-json-1.0", "AmazonSQS.SendMessageBatch"]


def test_passing_credentials_bring_their_token_and_it_is_signed() -> None:
    with Scripted([TAKEN]) as service:
        direct(service.url, Credentials("ASIAEXAMPLE", "secret", "a-token")).send_batch(QUEUE, ENTRIES)
    ((headers, _),) = service.asked
    assert headers["x-amz-security-token"] == "a-token"
    assert "x-amz-security-token" in headers["authorization"]
    assert "Credential=ASIAEXAMPLE/" in headers["authorization"]
    assert f"/{REGION}/sqs/aws4_request" in headers["authorization"]


@pytest.mark.parametrize("way", WAYS)
def test_what_was_left_out_of_a_batch_is_told(way: str) -> None:
    failed = [{"Id": "1", "SenderFault": False, "Code": "InternalError", "Message": "m"}]
    content = json.dumps({"Successful": [{"Id": "0"}], "Failed": failed}).encode()
    with Scripted([(200, {}, content)]) as service:
        assert way_to(way, service.url).send_batch(QUEUE, ENTRIES) == failed


def test_what_was_left_out_is_sent_again_alone() -> None:
    left = {"Successful": [{"Id": "0"}], "Failed": [{"Id": "1", "SenderFault": False, "Code": "InternalError"}]}
    with Scripted([(200, {}, json.dumps(left).encode()), TAKEN]) as service:
        SqsQueues(QueueSettings(aws_endpoint=service.url), credentials=KEYS).send(
            QueueName.WORK, [Message({"n": 0}), Message({"n": 1})]
        )
    sent = [[entry["Id"] for entry in json.loads(body)["Entries"]] for _, body in service.asked]
    assert sent == [["0", "1"], ["1"]]
    assert {json.loads(body)["QueueUrl"] for _, body in service.asked} == {QueueSettings().work_queue_url}


def refusal(code: str, status: int = 400) -> Answer:
    return (
        status,
        {"x-amzn-query-error": f"{code};Sender"},
        json.dumps({"__type": f"com.amazonaws.sqs#{code}"}).encode(),
    )


PASSING: dict[str, Answer] = {
    "throttled": refusal("RequestThrottled"),
    "throttled by another name": refusal("ThrottlingException"),
    "too many": (429, {}, b""),
    "its own mistake": refusal("InternalFailure", 500),
    "away": refusal("ServiceUnavailable", 503),
    "a page of a proxy": (502, {}, b"<html>Bad gateway</html>"),
    "hung up": None,
    "not JSON": (200, {}, b"{"),
}


@pytest.mark.parametrize("what", PASSING)
def test_what_may_pass_is_tried_three_times_with_growing_pauses(what: str) -> None:
    pauses = Pauses()
    with Scripted([PASSING[what], PASSING[what], TAKEN]) as service:
        assert direct(service.url, sleep=pauses).send_batch(QUEUE, ENTRIES) == []
    assert (len(service.asked), pauses.seconds) == (3, [1.0, 2.0])
    assert len({body for _, body in service.asked}) == 1


@pytest.mark.parametrize("what", PASSING)
def test_after_three_tries_the_queue_is_unavailable(what: str) -> None:
    pauses = Pauses()
    with Scripted([PASSING[what]] * 3) as service, pytest.raises(QueueUnavailable):
        direct(service.url, sleep=pauses).send_batch(QUEUE, ENTRIES)
    assert (len(service.asked), pauses.seconds) == (3, [1.0, 2.0])


@pytest.mark.parametrize(
    "code", ["QueueDoesNotExist", "BatchRequestTooLong", "AccessDeniedException", "InvalidAddress"]
)
@pytest.mark.parametrize("way", WAYS)
def test_what_will_not_pass_is_said_at_once(way: str, code: str) -> None:
    with Scripted([refusal(code)]) as service, pytest.raises(QueueUnavailable) as refused:
        way_to(way, service.url).send_batch(QUEUE, ENTRIES)
    assert len(service.asked) == 1
    assert code in str(refused.value.__cause__)


def test_each_try_crosses_the_seam_and_is_signed_anew() -> None:
    crossed: list[str] = []

    class Counting:
        def cross(self, service: Service, operation: str, send: Any) -> Any:
            crossed.append(f"{service} {operation}")
            return send()

    with Scripted([None, TAKEN]) as service:
        sqs = DirectSqs(KEYS, region=REGION, endpoint=service.url, seam=Counting(), sleep=Pauses(), chance=lambda: 0.0)
        sqs.send_batch(QUEUE, ENTRIES)
    assert crossed == ["sqs SendMessageBatch"] * 2


def test_where_nobody_says_who_asks_botocore_finds_it_out() -> None:
    assert isinstance(SqsQueues(QueueSettings())._sqs, BotocoreSqs)
    assert isinstance(SqsQueues(QueueSettings(), credentials=KEYS)._sqs, DirectSqs)


def test_each_region_is_asked_where_botocore_asks() -> None:
    session = get_session()
    regions = [
        region
        for partition in ("aws", "aws-cn", "aws-us-gov")
        for region in session.get_available_regions("sqs", partition)
    ]
    assert len(regions) > 30
    for region in (regions[0], *regions[-4:], "eu-central-1", "us-east-1"):
        theirs: Any = session.create_client("sqs", region_name=region)
        assert address_of("sqs", region) == theirs.meta.endpoint_url
