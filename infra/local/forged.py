"""Answers that nobody gave, in the shape of each service, as the client libraries get them off the wire."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import stripe
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError

from chalicelib.services.ports import NoAnswer, Service

_NOWHERE: Final = "http://faults.invalid"

# From the services' API references: DynamoDB and SQS (Common Errors), SES v2 (SendEmail), S3 (Error responses).
_THROTTLED: Final[dict[str, tuple[int, str]]] = {
    "dynamodb": (400, "ThrottlingException"),
    "sqs": (400, "RequestThrottled"),
    "ses": (429, "TooManyRequestsException"),
    "s3": (503, "SlowDown"),
}
_CODE_OF_STATUS: Final = {500: "InternalServerError", 503: "ServiceUnavailable"}


@dataclass(frozen=True, slots=True)
class _Body:
    """A body as botocore reads it."""

    content: bytes

    def stream(self) -> Iterator[bytes]:
        """All of it at once."""
        yield self.content


class _TimedOut(ReadTimeoutError, NoAnswer):
    """What botocore raises, and the reads of our own: both ask DynamoDB, and either may be the one who waits."""


class _CutOff(ConnectionClosedError, NoAnswer):
    """The same, where the connection ended."""


def answer_of(service: Service, status: int, *, throttled: bool) -> Any:
    """A refusal as it comes off the wire; a throttled one has the service's own status.

    Raises OSError for plain HTTP, where no client library of ours has a shape.
    """
    if service == "http":
        raise ConnectionError("told to fail")
    if service == "stripe":
        body = {"error": {"type": "api_error", "message": "told to fail"}}
        return json.dumps(body), status, {"Request-Id": "req_forged"}
    code = _CODE_OF_STATUS.get(status, "InternalFailure")
    if throttled:
        status, code = _THROTTLED[service]
    if service == "s3":
        text = f"<Error><Code>{code}</Code><Message>told to fail</Message></Error>"
        return _aws(status, {"Content-Type": "application/xml"}, text)
    # DynamoDB and SQS name the error in the body, SES in a header.
    headers = {"Content-Type": "application/x-amz-json-1.0", "x-amzn-errortype": code}
    text = json.dumps({"__type": code, "message": "told to fail"})
    return _aws(status, headers, text)


def _aws(status: int, headers: dict[str, str], text: str) -> AWSResponse:
    return AWSResponse(_NOWHERE, status, HTTPHeaders.from_dict(headers), _Body(text.encode()))


def timed_out(service: Service) -> Exception:
    """What a client raises when no answer came in time."""
    if service == "stripe":
        return _unreached("told to time out")
    return TimeoutError("told to time out") if service == "http" else _TimedOut(endpoint_url=_NOWHERE)


def cut_off(service: Service) -> Exception:
    """What a client raises when the connection ended before the answer."""
    if service == "stripe":
        return _unreached("told to lose the answer")
    if service == "http":
        return ConnectionResetError("told to lose the answer")
    return _CutOff(endpoint_url=_NOWHERE)


def _unreached(message: str) -> Exception:
    return stripe.APIConnectionError(message, should_retry=True)  # type: ignore[no-untyped-call]  # stripe's own gap
