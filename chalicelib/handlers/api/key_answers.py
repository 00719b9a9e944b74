"""The answers about API keys, as types; `answers` has them all."""

from __future__ import annotations

from typing import Annotated, Literal

from typing_extensions import TypedDict  # pydantic reads typing's own from Python 3.12 on only

from chalicelib.handlers.api.answer_parts import ApiKeyId, Metadata, Time
from chalicelib.handlers.api.keywords import shown


class ApiKey(TypedDict):
    """A key to this API."""

    id: ApiKeyId
    object: Literal["api_key"]
    created_at: Time
    metadata: Metadata
    name: str
    prefix: Annotated[str, shown("How the key begins.", examples=["till_demo_4kQ9"])]
    scopes: Annotated[list[str], shown("What it may do; `*` is everything.")]
    last_used_at: Annotated[Time | None, shown("Right to the hour.")]
    revoked_at: Time | None


class NewApiKey(ApiKey):
    """A key to this API, as it is shown once."""

    key: Annotated[str, shown("The key itself. Keep it: it is never shown again.")]
