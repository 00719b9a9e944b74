"""A morning's work of a merchant's program, written from the API's document by somebody who has seen nothing else."""

from __future__ import annotations

from typing import Any

from tests.stranger.client import Client


def sell(api: Client) -> Any:
    """A link to buy two of something: the product, its price, and the link."""
    product = api.call("create_product", name="Linen print")
    price = api.call("create_price", product=product["id"], currency="usd", unit_amount=4_500)
    lines = [{"price": price["id"], "quantity": 2}]
    return api.call("create_payment_link", name="Linen prints", currency="usd", lines=lines)


def payment_of(api: Client, link: Any) -> Any:
    """The one payment that came in by a link, read by its own id."""
    [listed] = api.call("list_payments", payment_link=link["id"])["data"]
    return api.call("get_payment", payment_id=listed["id"])


def give_half_back(api: Client, payment: Any) -> Any:
    """A refund of half of a payment."""
    return api.call("create_refund", payment=payment["id"], amount=payment["amount"] // 2)


def what_happened(api: Client) -> list[str]:
    """The types of all events, oldest first, however many pages they take."""
    types: list[str] = []
    page = api.call("list_events", limit=3)
    while True:
        types += [event["type"] for event in page["data"]]
        if not page["has_more"]:
            return types[::-1]
        page = api.call("list_events", limit=3, cursor=page["next_cursor"])
