"""The seam: every request that leaves the process crosses it, so that there is one place to stop, lose or count it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal, Protocol, TypeVar

T = TypeVar("T")

Service = Literal["dynamodb", "stripe", "sqs", "ses", "s3", "ssm", "http"]
"""Whom a request is for."""


class NoAnswer(Exception):
    """A request was sent, or begun, and no whole answer came: nobody knows whether it arrived."""


class Seam(Protocol):
    """What stands between this process and the world."""

    def cross(self, service: Service, operation: str, send: Callable[[], T]) -> T:
        """Send one request on the wire and hand back its answer; what is sent again crosses again.

        `operation` is AWS's name of it (`TransactWriteItems`), or method and path with `{id}` for each id
        (`POST /v1/payment_intents/{id}/confirm`). Raises what `send` raises. A seam may also raise a BaseException of
        its own to stop the caller: nobody may catch that, so nothing is tidied up that a dead process would have left.
        """
        ...


class Open:
    """The seam of a deployment: it sends."""

    def cross(self, service: Service, operation: str, send: Callable[[], T]) -> T:
        """See Seam."""
        return send()


OPEN: Final = Open()
