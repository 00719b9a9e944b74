"""/v1/api_keys: to make, to list, to revoke."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from chalicelib.domain.documents.merchants import ApiKey, IssuedKey
from chalicelib.handlers.api.blueprint import api
from chalicelib.handlers.api.listing import list_answer
from chalicelib.handlers.api.operations import operation
from chalicelib.handlers.api.resources import api_key_out, new_api_key_out
from chalicelib.handlers.boundary import json_api
from chalicelib.handlers.calls import ApiCall
from chalicelib.handlers.parsing import json_object, optional_json_object, record_id
from chalicelib.services.api_keys import NewApiKey, issue_key, keys_of, revoke_key

if TYPE_CHECKING:
    from chalicelib.handlers.api import answers


@api.route("/v1/api_keys", methods=["GET"], content_types=[])
@json_api(api, scope="api_keys:read")
@operation("list_api_keys")
def list_api_keys(call: ApiCall) -> answers.Page[answers.ApiKey]:
    """The API keys, newest first, revoked ones too."""

    def show(found: Sequence[IssuedKey]) -> list[answers.ApiKey]:
        return [api_key_out(key) for key in keys_of(call.ports, found)]

    return list_answer(call, IssuedKey, "api_keys", show)


@api.route("/v1/api_keys", methods=["POST"], content_types=[])
@json_api(api, scope="api_keys:write", success=201)
@operation("create_api_key", takes="bodies.ApiKeyBody")
def post_api_key(call: ApiCall) -> answers.NewApiKey:
    """Make an API key.

    `key` is in this answer alone. A key gives no scope that it does not have itself.
    """
    from chalicelib.handlers.api.bodies import ApiKeyBody
    from chalicelib.handlers.api_types import read_body

    body = read_body(ApiKeyBody, json_object(call.raw_body, call.content_type))
    public_id = call.effect_id("key")
    secret = call.secret_for(public_id)
    new = NewApiKey(public_id, secret, body.name, tuple(body.scopes))
    return call.once(
        ApiKey,
        lambda key: new_api_key_out(key, secret),
        lambda: issue_key(call.ports, call.merchant_id, new, granted=call.caller.scopes, actor=call.actor),
        hides=("key", secret),
    )


@api.route("/v1/api_keys/{api_key_id}/revoke", methods=["POST"], content_types=[])
@json_api(api, scope="api_keys:write")
@operation("revoke_api_key", takes="bodies.NothingBody", body_optional=True)
def revoke_api_key(call: ApiCall, api_key_id: str) -> answers.ApiKey:
    """Revoke an API key. It opens nothing from that moment on, and does not come back."""
    from chalicelib.handlers.api.bodies import NothingBody
    from chalicelib.handlers.api_types import read_body

    read_body(NothingBody, optional_json_object(call.raw_body, call.content_type))
    wanted = record_id(api_key_id, "key", "API key")
    return call.once(ApiKey, api_key_out, lambda: revoke_key(call.ports, call.merchant_id, wanted, actor=call.actor))
