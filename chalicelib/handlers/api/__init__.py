"""The API, `/v1`: JSON for callers with a key. Importing this registers every route on `api`."""

from chalicelib.handlers.api import (
    account,
    api_keys,
    billing,
    catalogue,
    customers,
    documentation,
    events,
    links,
    money,
    portal,
    refunds,
    subscriptions,
)
from chalicelib.handlers.api.blueprint import api

__all__ = [
    "account", "api", "api_keys", "billing", "catalogue", "customers", "documentation", "events", "links", "money",
    "portal", "refunds",
    "subscriptions",
]  # fmt: skip
