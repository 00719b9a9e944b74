"""/v1/subscriptions: to make, to read, to look ahead, to change, to pause and to cancel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.machines import SubscriptionStatus
from chalicelib.handlers.api.blueprint import api
from chalicelib.handlers.api.listing import list_answer
from chalicelib.handlers.api.operations import Count, Filters, operation
from chalicelib.handlers.api.resources import released_out
from chalicelib.handlers.api.subscription_answers import edit_preview_out, subscription_out, upcoming_out
from chalicelib.handlers.boundary import json_api
from chalicelib.handlers.calls import ApiCall
from chalicelib.handlers.parsing import json_object, optional_json_object, record_id, referred_id
from chalicelib.services.editing import edit_subscription, preview_edit
from chalicelib.services.pausing import pause, reactivate, resume
from chalicelib.services.reading import read
from chalicelib.services.subscribing import create_subscription, preview_draft
from chalicelib.services.subscriptions import cancel, change_metadata
from chalicelib.services.upcoming import upcoming

_FILTERS: Final = Filters(("customer", "payment_link"), SubscriptionStatus)
_COUNT: Final = Count("count", least=1, most=120, default=12, words="How many invoices to come.")
_SHOWN: Final = 12
"""Invoices that the preview of a change shows."""

if TYPE_CHECKING:
    from chalicelib.handlers.api import answers


def _id(text: str) -> str:
    return record_id(text, "sub", "subscription")


@api.route("/v1/subscriptions", methods=["GET"], content_types=[])
@json_api(api, scope="subscriptions:read")
@operation("list_subscriptions", filters=_FILTERS)
def list_subscriptions(call: ApiCall) -> answers.Page[answers.Subscription]:
    """The subscriptions, newest first."""

    def show(found: Sequence[Subscription]) -> list[answers.Subscription]:
        return [subscription_out(subscription) for subscription in found]

    return list_answer(call, Subscription, "subscriptions", show, _FILTERS)


@api.route("/v1/subscriptions", methods=["POST"], content_types=[])
@json_api(api, scope="subscriptions:write", success=201)
@operation(
    "create_subscription",
    takes="subscription_bodies.SubscriptionBody",
    refuses=("not_found", "not_ready_to_transact"),
)
def post_subscription(call: ApiCall) -> answers.Subscription:
    """Make a subscription.

    Its invoices are issued by the scheduler, the first when the first period begins. Without a payment method those
    that are charged automatically stay open until somebody pays one on its page.
    """
    from chalicelib.handlers.api.subscription_bodies import SubscriptionBody
    from chalicelib.handlers.api_types import read_body

    body = read_body(SubscriptionBody, json_object(call.raw_body, call.content_type))
    customer_id = referred_id(body.customer, "cus", "customer")
    return call.once(
        Subscription,
        subscription_out,
        lambda: create_subscription(call.ports, call.merchant_id, customer_id, body.to_new(), actor=call.actor),
    )


@api.route("/v1/subscriptions/preview", methods=["POST"], content_types=[])
@json_api(api, scope="subscriptions:read")
@operation("preview_new_subscription", takes="subscription_bodies.SubscriptionPreview", writes=False)
def preview_new_subscription(call: ApiCall) -> answers.Preview:
    """The invoices of a subscription that is not made.

    It takes any start, also one in the past. Nothing is written.
    """
    from chalicelib.handlers.api.subscription_bodies import SubscriptionPreview
    from chalicelib.handlers.api_types import read_body

    body = read_body(SubscriptionPreview, json_object(call.raw_body, call.content_type))
    shown = preview_draft(call.ports, call.merchant_id, body.to_new(), body.count, timezone=body.timezone)
    return {"data": [upcoming_out(each) for each in shown]}


@api.route("/v1/subscriptions/release_held", methods=["POST"], content_types=[])
@json_api(api, scope="subscriptions:write")
@operation("release_held_invoices", takes="subscription_bodies.ReleaseHeld", refuses=("not_found",))
def post_release_held(call: ApiCall) -> answers.ReleasedInvoices:
    """Have invoices charged that were held because they were issued more than seven days late.

    Of one subscription, or with null of all; the oldest first, and one a day for each subscription. A second call
    releases what is held then. Of more than 1,000 some may be left: `has_more` says so.
    """
    from chalicelib.handlers.api.subscription_bodies import ReleaseHeld
    from chalicelib.handlers.api_types import read_body
    from chalicelib.services.billing.releasing import Released, release_held

    body = read_body(ReleaseHeld, json_object(call.raw_body, call.content_type))
    wanted = body.subscription
    return call.once(
        Released,
        released_out,
        lambda: release_held(call.ports, call.merchant_id, wanted, actor=call.actor),
    )


@api.route("/v1/subscriptions/{subscription_id}", methods=["POST"], content_types=[])
@json_api(api, scope="subscriptions:write")
@operation(
    "update_subscription",
    takes="subscription_bodies.SubscriptionUpdate",
    refuses=("payment_in_progress", "limit_reached"),
)
def post_subscription_changes(call: ApiCall, subscription_id: str) -> answers.Subscription | answers.EditPreview:
    """Change a subscription.

    Lines, frequency and date change with its next period, or now: then the unused seconds of the running period are
    credited, as far as it was paid, and the new lines charged for them, on the next invoice or, with `bill_now`, on
    one of its own. What is credited on balance is used first on later invoices. Another frequency or date that is
    effective now ends the period, and the next begins. With `preview` nothing is written.
    """
    from chalicelib.handlers.api.subscription_bodies import SubscriptionUpdate
    from chalicelib.handlers.api_types import read_body

    wanted = _id(subscription_id)
    body = read_body(SubscriptionUpdate, json_object(call.raw_body, call.content_type))
    before = read(call.ports, call.merchant_id, Subscription, wanted)
    order = body.to_order(before.currency)
    if body.preview:
        return edit_preview_out(preview_edit(call.ports, call.merchant_id, wanted, order), _SHOWN)
    if order.changes_billing:
        return call.once(
            Subscription,
            subscription_out,
            lambda: edit_subscription(call.ports, call.merchant_id, wanted, order, actor=call.actor),
        )
    metadata = order.metadata
    if metadata is None:
        return subscription_out(before)
    return call.once(
        Subscription,
        subscription_out,
        lambda: change_metadata(call.ports, call.merchant_id, wanted, metadata, actor=call.actor),
    )


@api.route("/v1/subscriptions/{subscription_id}", methods=["GET"], content_types=[])
@json_api(api, scope="subscriptions:read")
@operation("get_subscription")
def get_subscription(call: ApiCall, subscription_id: str) -> answers.Subscription:
    """One subscription."""
    return subscription_out(read(call.ports, call.merchant_id, Subscription, _id(subscription_id)))


@api.route("/v1/subscriptions/{subscription_id}/preview", methods=["GET"], content_types=[])
@json_api(api, scope="subscriptions:read")
@operation("preview_subscription", counts=(_COUNT,))
def preview_subscription(call: ApiCall, subscription_id: str) -> answers.Preview:
    """The invoices to come."""
    count = _COUNT.read(call.query)
    subscription = read(call.ports, call.merchant_id, Subscription, _id(subscription_id))
    return {"data": [upcoming_out(each) for each in upcoming(subscription, count)]}


@api.route("/v1/subscriptions/{subscription_id}/retry", methods=["POST"], content_types=[])
@json_api(api, scope="subscriptions:write")
@operation(
    "retry_subscription",
    takes="bodies.NothingBody",
    body_optional=True,
    refuses=("not_ready_to_transact", "payment_in_progress", "limit_reached"),
)
def retry_subscription(call: ApiCall, subscription_id: str) -> answers.Subscription:
    """Charge what is past due once more.

    The scheduler does so within five minutes, oldest invoice first. It is refused where nothing is past due, and for a
    payment method that was declined for good.
    """
    from chalicelib.handlers.api.bodies import NothingBody
    from chalicelib.handlers.api_types import read_body
    from chalicelib.services.billing.retrying import retry_past_due

    read_body(NothingBody, optional_json_object(call.raw_body, call.content_type))
    wanted = _id(subscription_id)
    return call.once(Subscription, subscription_out, lambda: retry_past_due(call.ports, call.merchant_id, wanted))


@api.route("/v1/subscriptions/{subscription_id}/cancel", methods=["POST"], content_types=[])
@json_api(api, scope="subscriptions:write")
@operation("cancel_subscription", takes="bodies.CancelBody")
def cancel_subscription(call: ApiCall, subscription_id: str) -> answers.Subscription:
    """End a subscription, now or at the end of the period that was invoiced last."""
    from chalicelib.handlers.api.bodies import CancelBody
    from chalicelib.handlers.api_types import read_body

    body = read_body(CancelBody, json_object(call.raw_body, call.content_type))
    wanted = _id(subscription_id)
    return call.once(
        Subscription,
        subscription_out,
        lambda: cancel(call.ports, call.merchant_id, wanted, at=body.at, actor=call.actor),
    )


@api.route("/v1/subscriptions/{subscription_id}/reactivate", methods=["POST"], content_types=[])
@json_api(api, scope="subscriptions:write")
@operation("reactivate_subscription", takes="bodies.NothingBody", body_optional=True)
def reactivate_subscription(call: ApiCall, subscription_id: str) -> answers.Subscription:
    """Keep a subscription that was to end with its period."""
    from chalicelib.handlers.api.bodies import NothingBody
    from chalicelib.handlers.api_types import read_body

    read_body(NothingBody, optional_json_object(call.raw_body, call.content_type))
    wanted = _id(subscription_id)
    return call.once(
        Subscription, subscription_out, lambda: reactivate(call.ports, call.merchant_id, wanted, actor=call.actor)
    )


@api.route("/v1/subscriptions/{subscription_id}/pause", methods=["POST"], content_types=[])
@json_api(api, scope="subscriptions:write")
@operation("pause_subscription", takes="subscription_bodies.PauseBody", body_optional=True)
def pause_subscription(call: ApiCall, subscription_id: str) -> answers.Subscription:
    """Pause a subscription.

    The dates until `until` are skipped, and its rhythm goes on as it was; without a date until it is resumed.
    """
    from chalicelib.handlers.api.subscription_bodies import PauseBody
    from chalicelib.handlers.api_types import read_body

    body = read_body(PauseBody, optional_json_object(call.raw_body, call.content_type))
    wanted, until = _id(subscription_id), body.moment()
    return call.once(
        Subscription,
        subscription_out,
        lambda: pause(call.ports, call.merchant_id, wanted, until=until, actor=call.actor),
    )


@api.route("/v1/subscriptions/{subscription_id}/resume", methods=["POST"], content_types=[])
@json_api(api, scope="subscriptions:write")
@operation("resume_subscription", takes="subscription_bodies.ResumeBody", refuses=("payment_in_progress",))
def resume_subscription(call: ApiCall, subscription_id: str) -> answers.Subscription:
    """Go on with a paused subscription: its next period begins on a date, today or later."""
    from chalicelib.handlers.api.subscription_bodies import ResumeBody
    from chalicelib.handlers.api_types import read_body

    body = read_body(ResumeBody, json_object(call.raw_body, call.content_type))
    wanted, on = _id(subscription_id), body.moment()
    return call.once(
        Subscription,
        subscription_out,
        lambda: resume(call.ports, call.merchant_id, wanted, next_invoice_on=on, actor=call.actor),
    )
