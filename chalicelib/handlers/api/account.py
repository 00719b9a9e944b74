"""/v1/account: the merchant's own profile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib.domain.documents.merchants import Merchant
from chalicelib.handlers.api.blueprint import api
from chalicelib.handlers.api.operations import operation
from chalicelib.handlers.api.resources import account_out
from chalicelib.handlers.boundary import json_api
from chalicelib.handlers.calls import ApiCall
from chalicelib.handlers.parsing import json_object, optional_json_object
from chalicelib.services.account import update_account
from chalicelib.services.billing.parking import unpark

if TYPE_CHECKING:
    from chalicelib.handlers.api import answers


@api.route("/v1/account", methods=["GET"], content_types=[])
@json_api(api, scope="account:read")
@operation("get_account")
def get_account(call: ApiCall) -> answers.Account:
    """The account."""
    return account_out(call.ports.records.get(Merchant, call.merchant_id))


@api.route("/v1/account", methods=["POST"], content_types=[])
@json_api(api, scope="account:write")
@operation("update_account", takes="bodies.AccountUpdate")
def post_account(call: ApiCall) -> answers.Account:
    """Change the account."""
    from chalicelib.handlers.api.bodies import AccountUpdate
    from chalicelib.handlers.api_types import read_body

    body = read_body(AccountUpdate, json_object(call.raw_body, call.content_type))
    return call.once(
        Merchant,
        account_out,
        lambda: update_account(call.ports, call.merchant_id, body.to_domain(), actor=call.actor),
    )


@api.route("/v1/account/unpark", methods=["POST"], content_types=[])
@json_api(api, scope="account:write")
@operation("unpark_account", takes="bodies.NothingBody", body_optional=True)
def post_unpark(call: ApiCall) -> answers.Account:
    """Let the schedule issue and charge again.

    A merchant is parked when its schedule goes past the deployment's bounds of a day, which is then counted anew.
    What is due goes on within minutes, each period and each charge once. Nothing happens where nothing is parked.
    """
    from chalicelib.handlers.api.bodies import NothingBody
    from chalicelib.handlers.api_types import read_body

    read_body(NothingBody, optional_json_object(call.raw_body, call.content_type))
    return call.once(Merchant, account_out, lambda: unpark(call.ports, call.merchant_id, actor=call.actor))
