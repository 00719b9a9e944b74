"""The API, `/v1`: JSON for callers with a key. Importing this registers every route on `api`."""

from chalicelib.handlers.api import account, billing, customers, events, links, money, subscriptions
from chalicelib.handlers.api.blueprint import api

__all__ = ["account", "api", "billing", "customers", "events", "links", "money", "subscriptions"]
