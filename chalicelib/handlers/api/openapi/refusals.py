"""What each operation can be refused with: the statuses, and for each the closed list of codes."""

from __future__ import annotations

from typing import Any, Final

from chalicelib.domain.errors import ERROR_CODES
from chalicelib.handlers.api.openapi.schemas import PREFIX
from chalicelib.handlers.api.operations import DescribedRoute
from chalicelib.handlers.boundary import error_body, status_of

_ALWAYS: Final = (
    "unauthenticated", "insufficient_scope", "unknown_field", "invalid_value", "rate_limited", "internal_error",
    "provider_unavailable",
)  # fmt: skip
_WITH_BODY: Final = ("malformed_json", "unsupported_media_type", "body_too_large")
_WRITES: Final = ("state_conflict", "idempotency_key_reused", "idempotency_in_progress")
_LISTS: Final = ("wrong_type", "out_of_range", "invalid_date", "invalid_cursor")
_FIELDS: Final = frozenset(code for code in ERROR_CODES if status_of(code) == 422) - {"invalid_cursor"}

_WORDS: Final = {
    400: "The body is not one clean JSON object.",
    401: "There is no valid API key.",
    403: "The key does not have the scope.",
    404: "There is no such record, or it belongs to another merchant.",
    409: "The state of things does not allow it, or the idempotency key does not. Nothing was changed.",
    413: "The body is larger than a megabyte.",
    415: "The body is not said to be `application/json`.",
    422: "Fields or parameters are wrong: all of them at once, in `errors`. Nothing was written.",
    429: "Too many requests; try again later.",
    500: "Something went wrong on our side. Ask with the request id.",
    503: "A service that Till depends on gave no answer. Try again with the same idempotency key.",
}


def codes_of(route: DescribedRoute) -> frozenset[str]:
    """Every code that the operation can answer with."""
    said = route.operation
    codes = {*_ALWAYS, *said.refuses}
    if said.takes:
        codes |= {*_WITH_BODY, *_FIELDS}
    if said.lists:
        codes |= set(_LISTS)
    if said.counts:
        codes |= {"wrong_type", "out_of_range"}
    if route.writes:
        codes |= set(_WRITES)
    if "{" in route.path or (said.filters and said.filters.owners):
        codes.add("not_found")
    unknown = codes - ERROR_CODES
    if unknown:
        raise ValueError(f"{said.id} refuses with codes that do not exist: {sorted(unknown)}")
    return frozenset(codes)


def error_schema() -> dict[str, Any]:
    """The one shape of all refusals."""
    code = {"type": "string", "enum": sorted(ERROR_CODES), "description": "For programs: a closed list."}
    param = {"type": ["string", "null"], "description": "The field at fault, as `lines.0.quantity`."}
    message = {"type": "string", "description": "For people. Its words may change."}
    field = _closed({"param": {"type": "string"}, "code": code, "message": message})
    kinds = ["authentication", "conflict", "internal", "invalid_request", "not_found", "permission", "rate_limit"]
    error = _closed(
        {
            "type": {"type": "string", "enum": kinds},
            "code": code,
            "message": message,
            "param": param,
            "errors": {"type": "array", "items": field, "description": "Every field at fault; `param` is the first."},
            "request_id": {"type": "string", "description": "Name it when you ask about this request."},
        }
    )
    return {"description": "A refusal.", **_closed({"error": error})}


def _closed(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


class Refusals:
    """The responses of all operations; those that several share become components."""

    def __init__(self) -> None:
        self.components: dict[str, dict[str, Any]] = {}
        self._names: dict[tuple[str, ...], str] = {}

    def of(self, route: DescribedRoute) -> dict[str, dict[str, Any]]:
        """The responses of one operation, by status."""
        by_status: dict[int, list[str]] = {}
        for code in sorted(codes_of(route)):
            by_status.setdefault(status_of(code), []).append(code)
        return {str(status): self._reference(status, tuple(codes)) for status, codes in sorted(by_status.items())}

    def _reference(self, status: int, codes: tuple[str, ...]) -> dict[str, Any]:
        name = self._names.get(codes)
        if name is None:
            of_status = sum(1 for known in self.components if known.startswith(f"Refused{status}"))
            name = f"Refused{status}" + ("" if not of_status else f"_{of_status + 1}")
            self._names[codes] = name
            self.components[name] = _response(status, codes)
        return {"$ref": f"#/components/responses/{name}"}


def _response(status: int, codes: tuple[str, ...]) -> dict[str, Any]:
    first = next((code for code in ("state_conflict", "unknown_field") if code in codes), codes[0])
    param = "colour" if first == "unknown_field" else None
    example = error_body(status, first, _WORDS[status], "1f4c2f6e-7d0f-4b63-9a0d-2f1d3c5b7a90", param=param)
    if param:
        example["error"]["message"] = "This field does not exist here."
        example["error"]["errors"] = [{"param": param, "code": first, "message": example["error"]["message"]}]
    narrowed = {"properties": {"error": {"properties": {"code": {"enum": list(codes)}}}}}
    headers: dict[str, Any] = {"Request-Id": {"$ref": "#/components/headers/RequestId"}}
    if status == 401:
        headers["WWW-Authenticate"] = {"schema": {"type": "string"}, "description": "The scheme: `Bearer`."}
    if "idempotency_in_progress" in codes:
        seconds = "When a call under the same idempotency key is still under way: seconds to wait."
        headers["Retry-After"] = {"schema": {"type": "integer", "minimum": 1}, "description": seconds}
    return {
        "description": f"{_WORDS[status]} Codes: {', '.join(f'`{code}`' for code in codes)}.",
        "headers": headers,
        "content": {
            "application/json": {
                "schema": {"allOf": [{"$ref": f"{PREFIX}Error"}, narrowed]},
                "example": example,
            }
        },
    }
