"""/v1/subscriptions: to read, to look ahead, and to cancel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.machines import SubscriptionStatus
from chalicelib.handlers.api.blueprint import api
from chalicelib.handlers.api.listing import list_answer
from chalicelib.handlers.api.resources import subscription_out, upcoming_out
from chalicelib.handlers.boundary import ApiCall, json_api
from chalicelib.handlers.parsing import json_object, record_id, single_values, whole_number
from chalicelib.services.reading import read
from chalicelib.services.subscriptions import cancel
from chalicelib.services.upcoming import upcoming

_SHOWN, _MOST_SHOWN = 12, 120


def _id(text: str) -> str:
    return record_id(text, "sub", "subscription")


@api.route("/v1/subscriptions", methods=["GET"], content_types=[])
@json_api(api, scope="subscriptions:read")
def list_subscriptions(call: ApiCall) -> dict[str, Any]:
    """The subscriptions, newest first."""

    def show(found: Sequence[Subscription]) -> list[dict[str, Any]]:
        return [subscription_out(subscription) for subscription in found]

    owners = ("customer", "payment_link")
    return list_answer(call, Subscription, "subscriptions", show, owners=owners, statuses=SubscriptionStatus)


@api.route("/v1/subscriptions/{subscription_id}", methods=["GET"], content_types=[])
@json_api(api, scope="subscriptions:read")
def get_subscription(call: ApiCall, subscription_id: str) -> dict[str, Any]:
    """One subscription."""
    single_values(call.query, frozenset())
    return subscription_out(read(call.ports, call.merchant_id, Subscription, _id(subscription_id)))


@api.route("/v1/subscriptions/{subscription_id}/preview", methods=["GET"], content_types=[])
@json_api(api, scope="subscriptions:read")
def preview_subscription(call: ApiCall, subscription_id: str) -> dict[str, Any]:
    """The invoices to come."""
    values = single_values(call.query, frozenset({"count"}))
    count = whole_number(values.get("count", str(_SHOWN)), "count", least=1, most=_MOST_SHOWN)
    subscription = read(call.ports, call.merchant_id, Subscription, _id(subscription_id))
    return {"data": [upcoming_out(each) for each in upcoming(subscription, count)]}


@api.route("/v1/subscriptions/{subscription_id}/cancel", methods=["POST"], content_types=[])
@json_api(api, scope="subscriptions:write")
def cancel_subscription(call: ApiCall, subscription_id: str) -> dict[str, Any]:
    """End a subscription, now or at the end of the period that was invoiced last."""
    from chalicelib.handlers.api.bodies import CancelBody
    from chalicelib.handlers.api_types import read_body

    body = read_body(CancelBody, json_object(call.raw_body, call.content_type))
    ended = cancel(call.ports, call.merchant_id, _id(subscription_id), at=body.at, actor=call.actor)
    return subscription_out(ended)
