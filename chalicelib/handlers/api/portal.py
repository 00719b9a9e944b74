"""/v1/subscriptions/{id}/payment_method_link: the customer is mailed a way into the portal."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from chalicelib import wiring
from chalicelib.domain.documents.portal import SignInLink
from chalicelib.handlers.api.blueprint import api
from chalicelib.handlers.api.operations import operation
from chalicelib.handlers.api.shapes import time_out
from chalicelib.handlers.boundary import json_api
from chalicelib.handlers.calls import ApiCall
from chalicelib.handlers.parsing import optional_json_object, record_id
from chalicelib.handlers.portal_access import link_secret
from chalicelib.services.portal.signing_in import send_method_link

if TYPE_CHECKING:
    from chalicelib.handlers.api import answers


def method_link_out(link: SignInLink, subscription_id: str, base_url: str) -> answers.PaymentMethodLink:
    """A link that was sent, without its secret."""
    slug = link.merchant_id.removeprefix("mer_")
    return {
        "object": "payment_method_link",
        "created_at": time_out(link.created_at),
        "metadata": {},
        "subscription": subscription_id,
        "url": f"{base_url.rstrip('/')}/portal/{slug}/subscriptions/{subscription_id}/method",
        "sent_to": link.email,
        "expires_at": time_out(link.expires_at),
    }


@api.route("/v1/subscriptions/{subscription_id}/payment_method_link", methods=["POST"], content_types=[])
@json_api(api, scope="subscriptions:write")
@operation("send_payment_method_link", takes="bodies.NothingBody", body_optional=True, refuses=("state_conflict",))
def send_payment_method_link(call: ApiCall, subscription_id: str) -> answers.PaymentMethodLink:
    """Mail the customer a link that changes the payment method.

    It goes to the customer's own address, and works once, for 24 hours. Storing a method there charges what is past
    due. `url` may be passed on: whoever opens it signs in by a link to that same address.
    """
    from chalicelib.handlers.api.bodies import NothingBody
    from chalicelib.handlers.api_types import read_body

    read_body(NothingBody, optional_json_object(call.raw_body, call.content_type))
    wanted, link_id = record_id(subscription_id, "sub", "subscription"), call.effect_id("slnk")
    settings = wiring.settings()
    secret_of = partial(link_secret, settings.form_secret)
    return call.once(
        SignInLink,
        lambda link: method_link_out(link, wanted, settings.public_base_url),
        lambda: send_method_link(call.ports, call.merchant_id, wanted, link_id=link_id, secret_of=secret_of),
    )
