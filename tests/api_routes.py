"""Every route of the API, known when tests are collected, so that each can be a case of its own.

A blueprint can be registered once in a process, and answers for the app that it was registered with.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from chalice.app import Chalice

from chalicelib.handlers.api import api
from chalicelib.handlers.api.keywords import PREFIXES, ULID
from chalicelib.handlers.api.openapi.examples import body_example
from chalicelib.handlers.api.operations import DescribedRoute, described_routes
from tests import builders as build

APP: Final = Chalice("till-api-test", configure_logs=False)
APP.register_blueprint(api)
ROUTES: Final = described_routes(APP)
PATHS: Final = sorted({route.path for route in ROUTES})

RECORDS: Final[Mapping[str, Callable[..., Any]]] = {
    "chk": build.checkout,
    "cus": build.customer,
    "inv": build.invoice,
    "key": build.issued_key,
    "pay": build.payment,
    "plink": build.link,
    "price": build.price,
    "prod": build.product,
    "ref": build.refund,
    "sub": build.subscription,
    "txr": build.tax_rate,
}
"""How to make a record of each kind that an address or a body can name, by the prefix of its id."""
AN_ID: Final = re.compile(rf"\b({'|'.join(sorted(set(PREFIXES.values()) - {'mer'}))})_({ULID})\b")
PLACEHOLDER: Final = re.compile(r"\{(\w+)\}")


def prefix_of(name: str) -> str:
    """The prefix of the ids that a path parameter or a filter takes."""
    prefix = PREFIXES[name.removesuffix("_id")]
    assert prefix in RECORDS, f"add a builder for {prefix}_… to RECORDS, so that {name} is tried with a real record"
    return prefix


def body_of(route: DescribedRoute) -> Any:
    """The example of the route's body, asking of a key no more than the route's own scope can give."""
    takes = route.operation.takes
    body = body_example(takes.rpartition(".")[2]) if takes else None
    return {**body, "scopes": [route.scope]} if body and "scopes" in body else body


def records_for(route: DescribedRoute, merchant_id: str) -> dict[str, Any]:
    """A record of each kind that the route's address and example body name, by the prefix of its id."""
    named = {prefix_of(name) for name in PLACEHOLDER.findall(route.path)}
    named |= {prefix for prefix, _ in AN_ID.findall(json.dumps(body_of(route)))}
    found = {prefix: RECORDS[prefix](merchant_id=merchant_id) for prefix in sorted(named)}
    if entry := found.get("key"):
        # A key stands under its hash, beside its entry in the list.
        found["key's own"] = build.api_key(id=entry.key_id, public_id=entry.id, merchant_id=merchant_id)
    return found


def address_of(route: DescribedRoute, ids: Mapping[str, str]) -> str:
    """The route's address with these ids."""
    return PLACEHOLDER.sub(lambda found: ids[prefix_of(found[1])], route.path)


def named_body(route: DescribedRoute, ids: Mapping[str, str]) -> Any:
    """The example body, naming these records instead of those that do not exist."""
    return json.loads(AN_ID.sub(lambda found: ids.get(found[1], found[0]), json.dumps(body_of(route))))
