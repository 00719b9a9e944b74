"""Stripe's error answers, in Stripe's words, so that what Till shows and books on a refusal is what it would do live.

Wording and codes: https://docs.stripe.com/api/errors and https://docs.stripe.com/error-codes
"""

from collections.abc import Sequence
from typing import Any, Final

JsonObject = dict[str, Any]

DOC_URL: Final = "https://stripe.com/docs/error-codes/"


class StripeFault(Exception):
    """An answer that is not 200: the HTTP status and the `error` object of the body.

    `before_execution` marks a refusal made before the endpoint began its work: Stripe keeps no idempotent
    result for those (https://docs.stripe.com/api/idempotent_requests).
    """

    def __init__(
        self,
        status: int,
        kind: str,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        before_execution: bool = False,
        **more: Any,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.before_execution = before_execution
        error: JsonObject = {"type": kind, "message": message}
        if code is not None:
            error["code"] = code
            error["doc_url"] = DOC_URL + code.replace("_", "-")
        if param is not None:
            error["param"] = param
        error.update(more)
        self.error: Final = error


def _invalid(message: str, **more: Any) -> StripeFault:
    return StripeFault(400, "invalid_request_error", message, **more)


def invalid(message: str, *, param: str | None = None, code: str | None = None, **more: Any) -> StripeFault:
    """A refusal of what the parameters mean, found while the endpoint runs."""
    return _invalid(message, param=param, code=code, **more)


def malformed(message: str, *, param: str | None = None, code: str | None = None) -> StripeFault:
    """A refusal of the parameters themselves, before the endpoint runs."""
    return _invalid(message, param=param, code=code, before_execution=True)


def unknown_parameters(paths: Sequence[str]) -> StripeFault:
    """Parameters that the endpoint does not have (https://docs.stripe.com/error-codes#parameter-unknown)."""
    word = "parameter" if len(paths) == 1 else "parameters"
    return malformed(f"Received unknown {word}: {', '.join(paths)}", code="parameter_unknown", param=paths[0])


def missing_parameter(path: str) -> StripeFault:
    """A required parameter is absent (https://docs.stripe.com/error-codes#parameter-missing)."""
    return malformed(f"Missing required param: {path}.", code="parameter_missing", param=path)


def empty_parameter(path: str) -> StripeFault:
    """An empty value where the parameter cannot be unset (https://docs.stripe.com/error-codes#parameter-invalid-empty)."""
    return malformed(
        f"You passed an empty string for '{path}'. We assume empty values are an attempt to unset a parameter; "
        f"however '{path}' cannot be unset. You should remove '{path}' from your request or supply a non-empty value.",
        code="parameter_invalid_empty",
        param=path,
    )


def exclusive_parameters(one: str, other: str) -> StripeFault:
    """Two parameters that exclude each other (https://docs.stripe.com/error-codes#parameters-exclusive)."""
    return malformed(
        f"You may only specify one of these parameters: {one}, {other}.", code="parameters_exclusive", param=one
    )


def no_such(noun: str, identifier: str, *, param: str, in_path: bool = False) -> StripeFault:
    """The id names nothing on this account (https://docs.stripe.com/error-codes#resource-missing).

    Stripe answers 404 when the id stands in the path and 400 when it is a parameter.
    """
    return StripeFault(
        404 if in_path else 400,
        "invalid_request_error",
        f"No such {noun}: '{identifier}'",
        code="resource_missing",
        param=param,
    )


def unrecognized_url(method: str, path: str) -> StripeFault:
    """Stripe's 404 for a path that is no endpoint; the sandbox has only the endpoints that Till calls."""
    return StripeFault(
        404,
        "invalid_request_error",
        f"Unrecognized request URL ({method}: {path}). If you are trying to list objects, remove the trailing slash. "
        "If you are trying to retrieve an object, make sure you passed a valid (non-empty) identifier in your code. "
        "Please see https://stripe.com/docs or we can help at https://support.stripe.com/.",
        before_execution=True,
    )


def not_modelled(what: str) -> StripeFault:
    """The sandbox's own refusal of what Stripe would take: to ignore it silently would be a lie."""
    return StripeFault(
        501,
        "api_error",
        f"The Stripe sandbox of this machine does not model {what}. Model it there before Till relies on it.",
        code="sandbox_not_modelled",
        before_execution=True,
    )
