"""Idempotency keys as requests carry them: the header, what makes two requests the same, and secrets made of a key."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from typing import Any, Final

from chalice.app import Request

from chalicelib import wiring
from chalicelib.domain.errors import InvalidValue
from chalicelib.handlers.parsing import optional_json_object
from chalicelib.services.idempotency import PARAM

_KEY: Final = re.compile(r"[ -~]{1,255}", re.ASCII)


def idempotency_key(request: Request) -> str | None:
    """The key that a request carries, or None. Raises InvalidValue for one that cannot be a key, and for two."""
    sent = _values(request, PARAM.lower())
    if not sent:
        return None
    if len(sent) > 1:
        raise InvalidValue("Send one idempotency key, not several.", PARAM)
    if not _KEY.fullmatch(sent[0]):
        raise InvalidValue("An idempotency key has 1 to 255 printable ASCII characters.", PARAM)
    return sent[0]


def _values(request: Request, name: str) -> list[str]:
    # `headers` has the last value of a header that was sent twice, `multiValueHeaders` has all of them
    # (docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html).
    event: dict[str, Any] = request.to_original_event()
    every = event.get("multiValueHeaders") or {}
    found = [value for header, values in every.items() if header.lower() == name for value in values]
    last = request.headers.get(name)
    return found or ([] if last is None else [last])


def fingerprint(request: Request, body: bytes, content_type: str | None) -> str:
    """The digest of method, path and body; how the JSON was spaced and ordered makes no difference, nor no body at all.

    Raises TillError for a body that no view would read.
    """
    told = {
        "method": request.method,
        "path": request.path,
        "named": request.uri_params or {},
        "body": optional_json_object(body, content_type),
    }
    text = json.dumps(told, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def secret_under_key(merchant_id: str, key: str, record_id: str) -> str:
    """256 bits for a record that a keyed call makes, the same whenever they are asked for, so that they are not stored.

    They cannot be had from what is stored: it takes the deployment's secret, and the key itself, whose hash alone is
    kept.
    """
    message = "\0".join(("a secret under a key", merchant_id, record_id, key))
    digest = hmac.digest(wiring.settings().form_secret.encode(), message.encode(), "sha256")
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
