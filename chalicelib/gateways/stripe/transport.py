"""The HTTP client under the stripe package: it crosses the seam and adds a log line, never a word of what was sent."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

import stripe

from chalicelib.aws.connections import Connections
from chalicelib.gateways.clock import SystemClock
from chalicelib.services.ports import OPEN, UNPACED, NoAnswer, Pacer, Seam

_LOG: Final = logging.getLogger("till.stripe")

CONNECT_SECONDS: Final = 3.0

# An id of Stripe's (`pi_3Nk…`) ends in random letters and digits; no part of a path that Stripe names itself has any.
_ID: Final = re.compile(r"(?<=/)[a-z]+(?:_[a-z]+)*_[A-Za-z0-9]*[A-Z0-9][A-Za-z0-9]*(?=/|$)")


def operation_of(method: str, url: str) -> str:
    """What a request asks for: method and path, each id as `{id}`; a query may carry what identifies a person."""
    return f"{method.upper()} {_ID.sub('{id}', urlsplit(url).path)}"


def http_client(timeout_seconds: float) -> stripe.HTTPClient:
    """A client that keeps connections open and waits at most so long for a connection and for an answer."""
    return _DirectClient(min(CONNECT_SECONDS, timeout_seconds), timeout_seconds)


class _DirectClient(stripe.HTTPClient):
    """Sends over connections of our own, and by requests where the environment names a proxy.

    requests costs a call more than everything else about it. Answers name their headers in lower case here.
    """

    name = "direct"

    def __init__(self, connect_seconds: float, read_seconds: float) -> None:
        super().__init__()
        self._connect_seconds = connect_seconds
        self._read_seconds = read_seconds
        self._clock = SystemClock()
        # By scheme and host. Two threads may both make the first ones; one of each pair is forgotten.
        self._known: dict[tuple[str, str], Connections | stripe.HTTPClient] = {}

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        post_data: Any = None,
        *,
        _usage: list[str] | None = None,
    ) -> tuple[Any, int, Mapping[str, str]]:
        """See stripe.HTTPClient. Raises APIConnectionError where no whole answer came."""
        parts = urlsplit(url)
        way = self._known.get(parts[:2])
        if way is None:
            way = self._known[parts[:2]] = self._way_to(parts)
        if isinstance(way, stripe.HTTPClient):
            answer: tuple[Any, int, Mapping[str, str]] = way.request(method, url, headers, post_data)
            return answer
        path = parts.path or "/"
        if parts.query:
            # stripe leaves brackets as they are, and counts on the client beneath it to write them as RFC 3986 wants.
            path = f"{path}?{parts.query.replace('[', '%5B').replace(']', '%5D')}"
        body = post_data.encode() if isinstance(post_data, str) else post_data
        if body is None and method != "get":
            body = b""
        try:
            found = way.send(method.upper(), path, headers or {}, body)
        except NoAnswer as error:
            raise _unreached(f"no whole answer from Stripe ({error})") from error
        return found.content, found.status_code, found.headers

    def close(self) -> None:
        """Close the connections."""
        for way in self._known.values():
            way.close()

    def _way_to(self, parts: SplitResult) -> Connections | stripe.HTTPClient:
        if _proxy_for(parts) is not None:
            sessions: Any = _Sessions()
            return stripe.RequestsClient(timeout=(self._connect_seconds, self._read_seconds), session=sessions)
        return Connections(
            f"{parts.scheme}://{parts.netloc}",
            connect_seconds=self._connect_seconds,
            read_seconds=self._read_seconds,
            seconds=lambda: self._clock.now().timestamp(),
            # Stripe's own list of authorities, as its package takes it.
            authorities=stripe.ca_bundle_path,
        )


def _proxy_for(parts: SplitResult) -> str | None:
    """The proxy that the environment names for an address. requests has the last word about hosts that need none."""
    # It comes with stripe.
    from urllib.request import getproxies, proxy_bypass

    proxies = getproxies()
    found: str | None = proxies.get(parts.scheme) or proxies.get("all")
    return None if found is None or proxy_bypass(parts.netloc) else found


def _unreached(message: str) -> stripe.APIConnectionError:
    return stripe.APIConnectionError(message, should_retry=True)  # type: ignore[no-untyped-call]  # stripe's own gap


class _Sessions:
    """A session of requests' for each thread, which asks the environment for a proxy once and not for each request.

    It does not look for passwords in a `.netrc` either, which would take the place of Stripe's key
    (https://requests.readthedocs.io/en/latest/user/authentication/#netrc-authentication).
    """

    def __init__(self) -> None:
        self._own = threading.local()

    def request(self, method: str, url: str, **options: Any) -> Any:
        """See requests.Session."""
        session = getattr(self._own, "session", None)
        if session is None:
            # It comes with stripe, whose own client imports it as late.
            import requests

            session = self._own.session = requests.Session()
            session.trust_env = False
            session.proxies = requests.utils.get_environ_proxies(url)
        return session.request(method, url, **options)

    def close(self) -> None:
        """Close this thread's connections."""
        session = getattr(self._own, "session", None)
        if session is not None:
            session.close()


class LoggedClient(stripe.HTTPClient):
    """Another client behind the seam, with a log line for each request: method, path, status, Stripe's request id and
    time taken."""

    name = "logged"

    def __init__(
        self,
        inner: stripe.HTTPClient,
        monotonic: Callable[[], float] = time.monotonic,
        *,
        seam: Seam = OPEN,
        pacer: Pacer = UNPACED,
    ) -> None:
        super().__init__()
        self._inner = inner
        self._monotonic = monotonic
        self._seam = seam
        self._pacer = pacer

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        post_data: Any = None,
        *,
        _usage: list[str] | None = None,
    ) -> tuple[str, int, Mapping[str, str]]:
        """See stripe.HTTPClient. Raises ProviderBusy when no token for the request came in time."""
        operation = operation_of(method, url)
        self._pacer.take(operation)
        began = self._monotonic()
        status: int | None = None
        request_id: str | None = None
        try:
            body, status, answered = self._seam.cross(
                "stripe", operation, lambda: self._inner.request(method, url, headers, post_data)
            )
            request_id = next((value for key, value in answered.items() if key.lower() == "request-id"), None)
            return body, status, answered
        finally:
            fields = {
                "method": method.upper(),
                # The path alone: a query may carry what identifies a person.
                "path": urlsplit(url).path,
                "status": status,
                "stripe_request": request_id,
                "stripe_account": (headers or {}).get("Stripe-Account"),
                "ms": round((self._monotonic() - began) * 1000),
            }
            _LOG.info("stripe_call", extra=fields)

    def close(self) -> None:
        """Close the connections."""
        self._inner.close()  # type: ignore[no-untyped-call]  # stripe annotates only some of its methods
