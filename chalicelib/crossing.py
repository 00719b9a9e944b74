"""Clients of AWS, made to cross the seam: one place, whichever library builds them and however often they try again."""

from __future__ import annotations

from typing import Any, Final

from chalicelib.services.ports import Seam, Service

USER_AGENT: Final = "till"
"""Whom AWS is told it is asked by, in the `Config` of every client (`user_agent`,
https://docs.aws.amazon.com/botocore/latest/reference/config.html). Without a text of ours botocore writes an account of
machine, libraries and features in use, twice for each request: a sixth of what a call took."""


class _SeamedSession:
    """A botocore client's own HTTP session, which keeps its pool, time-outs and certificates, behind the seam."""

    def __init__(self, inner: Any, service: Service, seam: Seam) -> None:
        self._inner = inner
        self._service = service
        self._seam = seam

    def send(self, request: Any) -> Any:
        """One request on the wire."""
        return self._seam.cross(self._service, request.till_operation, lambda: self._inner.send(request))

    def close(self) -> None:
        """Close the connections."""
        self._inner.close()


def cross_seam(client: Any, service: Service, seam: Seam) -> None:
    """Have each request that a botocore client sends cross the seam; telling it twice changes nothing.

    botocore tells the operation's name with a finished, signed request, right before it sends that
    (https://docs.aws.amazon.com/botocore/latest/topics/events.html, `before-send`); for the sending itself it has no
    public name.
    """
    endpoint = client._endpoint
    if not isinstance(endpoint.http_session, _SeamedSession):
        client.meta.events.register_first("before-send", _note_operation)
        endpoint.http_session = _SeamedSession(endpoint.http_session, service, seam)


def _note_operation(request: Any, event_name: str, **_: Any) -> None:
    request.till_operation = event_name.rpartition(".")[2]
