"""Where a request came from: as API Gateway saw it, and as it is counted, which shows no address."""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final

from chalice.app import Request

_LENGTH: Final = 22
"""Characters of base64url that are kept of the digest: 132 bits."""
_UNKNOWN: Final = "unknown"


def address_of(request: Request) -> str | None:
    """The address that the connection came from. What a client says of itself (`X-Forwarded-For`) is not asked."""
    identity: Mapping[str, object] = request.context.get("identity") or {}
    found = identity.get("sourceIp")
    return str(found) if found else None


def source_of(request: Request, secret: str) -> str:
    """What the tries of an address are counted under: the same for the same address, and telling nobody which.

    An IPv6 customer has a whole /64 at least, so that is one source. Requests without an address are one together.
    """
    digest = hmac.new(secret.encode(), f"source\n{_network(address_of(request))}".encode(), hashlib.sha256).digest()
    return urlsafe_b64encode(digest).decode()[:_LENGTH]


def _network(address: str | None) -> str:
    try:
        found: IPv4Address | IPv6Address = ip_address(address or "")
    except ValueError:
        return _UNKNOWN
    if isinstance(found, IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(IPv6Network((int(found), 64), strict=False))
