"""A service of AWS that is asked in JSON: one signed POST for each operation, sent once; a repeat is the caller's.

The protocol is AWS's JSON 1.0 (https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html): the operation stands in
`X-Amz-Target`, its parameters are the body, and a refusal names itself in `__type`.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, Literal

from chalicelib.aws.connections import Connections, HttpAnswer
from chalicelib.aws.signing import Credentials, Signer
from chalicelib.services.ports.seam import NoAnswer, Seam

_TARGETS: Final = {"dynamodb": "DynamoDB_20120810", "sqs": "AmazonSQS"}
_CHINA: Final = "cn-"

to_json: Final = json.JSONEncoder(separators=(",", ":")).encode
"""JSON in ASCII without blanks, which is what is sent."""


def address_of(service: str, region: str) -> str:
    """Where a service of a region is asked (https://docs.aws.amazon.com/general/latest/gr/rande.html)."""
    return f"https://{service}.{region}.amazonaws.com{'.cn' if region.startswith(_CHINA) else ''}"


class ServiceRefused(Exception):
    """The service said no. `code` says why: the service's own word, or the bare status where somebody before it spoke.

    `said` is the body, empty where it was none.
    """

    def __init__(self, code: str, status: int, said: Mapping[str, Any]) -> None:
        super().__init__(code)
        self.code = code
        self.status = status
        self.said = said


class JsonService:
    """One service in one region, for any number of threads."""

    def __init__(
        self,
        service: Literal["dynamodb", "sqs"],
        address: str,
        *,
        region: str,
        credentials: Credentials,
        connect_seconds: float,
        read_seconds: float,
        now: Callable[[], datetime],
        seam: Seam,
    ) -> None:
        """`now` is the machine's own time: AWS refuses what was not signed about now."""
        self._service: Literal["dynamodb", "sqs"] = service
        self._seam = seam
        self.connections: Final = Connections(
            address, connect_seconds=connect_seconds, read_seconds=read_seconds, seconds=lambda: now().timestamp()
        )
        self._signer = Signer(credentials, service=service, region=region, host=self.connections.host, now=now)

    def ask(self, operation: str, request: Mapping[str, Any] | str) -> dict[str, Any]:
        """What the service answers; a request may come as its JSON. Raises ServiceRefused and NoAnswer."""
        body = (request if isinstance(request, str) else to_json(request)).encode("ascii")
        headers = {
            "content-type": "application/x-amz-json-1.0",
            "x-amz-target": f"{_TARGETS[self._service]}.{operation}",
        }

        def send() -> HttpAnswer:
            # Signed anew each time: a signature is good for minutes.
            return self.connections.post(self._signer.signed(headers, body), body)

        answer = self._seam.cross(self._service, operation, send)
        checksum = answer.headers.get("x-amz-crc32")
        if checksum is not None and checksum != str(zlib.crc32(answer.content)):
            raise NoAnswer("the answer is not what was sent")
        if answer.status_code != 200:
            raise _refusal(answer)
        try:
            found: dict[str, Any] = json.loads(answer.content)
        except ValueError as error:
            raise NoAnswer("the answer cannot be read") from error
        return found


def _refusal(answer: HttpAnswer) -> ServiceRefused:
    try:
        said = json.loads(answer.content)
    except ValueError:
        said = None
    if not isinstance(said, dict):
        said = {}
    # `com.amazonaws.dynamodb.v20120810#ThrottlingException`
    code = str(said.get("__type", answer.status_code)).rpartition("#")[2]
    return ServiceRefused(code, answer.status_code, said)
