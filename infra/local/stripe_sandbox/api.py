"""The API without HTTP: who asks, which version, is it well formed, was it answered before, and then the endpoint."""

import base64
import copy
import hmac
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC
from typing import Any, Final

from infra.local.stripe_sandbox.accounts import no_access
from infra.local.stripe_sandbox.calls import Call
from infra.local.stripe_sandbox.expansion import check_expansions, expand_reply, resource_named
from infra.local.stripe_sandbox.faults import JsonObject, StripeFault, malformed, not_modelled, unrecognized_url
from infra.local.stripe_sandbox.forms import FormTree, parse_form
from infra.local.stripe_sandbox.idempotency import Answer, IdempotencyKeys
from infra.local.stripe_sandbox.intent_rules import refuse_payment_method_types
from infra.local.stripe_sandbox.misbehaviour import Misbehaviour, Misbehaviours
from infra.local.stripe_sandbox.parameter_checker import check_parameters
from infra.local.stripe_sandbox.parameter_types import shape_of
from infra.local.stripe_sandbox.public_views import public_view
from infra.local.stripe_sandbox.rate_limits import REASON_HEADER, RateLimits, too_many
from infra.local.stripe_sandbox.refund_endings import end_waiting
from infra.local.stripe_sandbox.reply_walker import faults_in_reply
from infra.local.stripe_sandbox.routes import Route, find_route
from infra.local.stripe_sandbox.world import Ledger, Origin, World, new_id

_OMITTED_HEADERS: Final = frozenset({"authorization", "cookie"})
_OBJECTS_IN_ERRORS: Final = frozenset({"payment_intent", "payment_method", "setup_intent"})
_NOT_KEPT: Final = frozenset({401, 409, 429})
_INTENT_PATHS: Final = ("/v1/payment_intents", "/v1/setup_intents")


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request; header names in lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: str


@dataclass(frozen=True, slots=True)
class Reply:
    """One HTTP answer; `lost` = close the connection instead of sending it."""

    status: int
    body: JsonObject
    headers: dict[str, str] = field(default_factory=dict)
    lost: bool = False


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the account, and whether by a publishable key."""

    ledger: Ledger
    publishable: bool


class Api:
    """Answers requests one after another; the log is what `GET /stripe/requests` of the control plane shows."""

    def __init__(
        self,
        world: World,
        *,
        secret_key: str,
        publishable_key: str,
        platform: str,
        settle: Callable[[], None],
        rate_limits: tuple[int, int] | None = None,
    ) -> None:
        self._world: Final = world
        self._secret_key: Final = secret_key
        self._publishable_key: Final = publishable_key
        self._platform: Final = platform
        self._settle: Final = settle
        self.keys: Final = IdempotencyKeys()
        self.misbehaviours: Final = Misbehaviours()
        self.rate_limits: Final = RateLimits(world.moment, rate_limits)
        self._log_lock: Final = threading.Lock()
        self._log: Final[list[JsonObject]] = []
        self.bad_replies: Final[list[str]] = []

    def answer(self, request: Request) -> Reply:
        """Answer one request under `/v1`, and log it."""
        request_id = new_id("req_", 14)
        entry = self._open_log(request, request_id)
        headers = {"Request-Id": request_id, "Stripe-Version": self._world.api_version}
        try:
            reply = self._answer(request, request_id, entry)
        except StripeFault as fault:
            reply = Reply(fault.status, self._error_body(fault, request_id))
        headers.update(reply.headers)
        key = request.headers.get("idempotency-key")
        if key is not None:
            headers["Idempotency-Key"] = key
        entry["status"] = None if reply.lost else reply.status
        entry["error"] = reply.body.get("error", {}).get("code") or reply.body.get("error", {}).get("type")
        return Reply(reply.status, reply.body, headers, reply.lost)

    def _open_log(self, request: Request, request_id: str) -> JsonObject:
        entry: JsonObject = {
            "id": request_id,
            "at": self._world.moment().astimezone(UTC).isoformat(),
            "method": request.method,
            "path": request.path,
            "account": request.headers.get("stripe-account"),
            "idempotency_key": request.headers.get("idempotency-key"),
            "parameters": {},
            "headers": {name: value for name, value in request.headers.items() if name not in _OMITTED_HEADERS},
            "status": None,
            "error": None,
        }
        with self._log_lock:
            self._log.append(entry)
        return entry

    def logged(self) -> list[JsonObject]:
        """Copies of all calls, oldest first."""
        with self._log_lock:
            return copy.deepcopy(self._log)

    def forget(self) -> None:
        """Forget keys, log and misbehaviours."""
        self.keys.forget()
        self.misbehaviours.clear()
        with self._log_lock:
            self._log.clear()

    def _error_body(self, fault: StripeFault, request_id: str) -> JsonObject:
        for name in _OBJECTS_IN_ERRORS & fault.error.keys():
            self.bad_replies.extend(faults_in_reply(fault.error[name]))
        log_url = f"https://dashboard.stripe.com/test/logs/{request_id}"
        return {"error": {**fault.error, "request_log_url": log_url}}

    def _answer(self, request: Request, request_id: str, entry: JsonObject) -> Reply:
        tree = parse_form(request.query if request.method == "GET" else request.body)
        caller = self._authenticate(request, tree)
        entry["account"] = caller.ledger.account
        entry["parameters"] = tree
        self._check_version(request)
        found = find_route(request.method, request.path)
        if found is None:
            raise unrecognized_url(request.method, request.path)
        route, path = found
        if caller.publishable and not route.publishable:
            raise StripeFault(
                401,
                "invalid_request_error",
                "This API call cannot be made with a publishable API key. Please use a secret API key. You can find a "
                "list of your API keys at https://dashboard.stripe.com/account/apikeys.",
                code="secret_key_required",
            )
        limited = self.rate_limits.count(caller.ledger.account, route.name)
        if limited is not None:
            return Reply(429, self._error_body(too_many(), request_id), {REASON_HEADER: limited})
        params = self._check(route, tree, request)
        entry["parameters"] = params
        key = request.headers.get("idempotency-key") if request.method == "POST" else None
        met = self.misbehaviours.meet(route.name)
        if key is None:
            answer = self._run(route, caller, params, path, Origin(request_id, None), met)
            return Reply(answer.status, answer.body, lost=met is not None and met.status is None)
        account = caller.ledger.account
        saved = self.keys.begin(account, key, request.method, request.path, tree, self._world.now())
        if saved is not None:
            return Reply(
                saved.status,
                saved.body,
                {"Idempotent-Replayed": "true", "Original-Request": saved.request_id},
                lost=met is not None and met.status is None,
            )
        try:
            answer = self._run(route, caller, params, path, Origin(request_id, key), met)
        except StripeFault:
            self.keys.drop(account, key)
            raise
        never_came = met is not None and met.status is None and not met.effect
        if answer.status in _NOT_KEPT or never_came:
            self.keys.drop(account, key)
        else:
            self.keys.keep(account, key, answer)
        return Reply(answer.status, answer.body, lost=met is not None and met.status is None)

    def _authenticate(self, request: Request, tree: FormTree) -> Caller:
        """https://docs.stripe.com/api/authentication: the key as bearer or user name; Stripe.js sends it as `key`."""
        given = _key_in(request.headers.get("authorization", ""))
        account = request.headers.get("stripe-account")
        from_form = tree.pop("key", None)
        from_form_account = tree.pop("_stripe_account", None)
        if not given and isinstance(from_form, str):
            given = from_form
            account = from_form_account if isinstance(from_form_account, str) and from_form_account else account
        if not given:
            raise StripeFault(
                401,
                "invalid_request_error",
                "You did not provide an API key. You need to provide your API key in the Authorization header, using "
                "Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY'). "
                "See https://stripe.com/docs/api#authentication for details.",
                before_execution=True,
            )
        publishable = hmac.compare_digest(given.encode(), self._publishable_key.encode())
        if not publishable and not hmac.compare_digest(given.encode(), self._secret_key.encode()):
            shown = f"{given[:8]}{'*' * max(len(given) - 12, 4)}{given[-4:]}"
            raise StripeFault(401, "invalid_request_error", f"Invalid API Key provided: {shown}", before_execution=True)
        ledger = self._world.ledgers.get(account or self._platform)
        if ledger is None:
            raise no_access(str(account))
        return Caller(ledger, publishable)

    def _check_version(self, request: Request) -> None:
        """One version is pinned for everything; another would answer in another shape (https://docs.stripe.com/api/versioning)."""
        asked = request.headers.get("stripe-version", self._world.api_version)
        if asked != self._world.api_version:
            raise malformed(
                f"Invalid Stripe API version: {asked}. This sandbox speaks {self._world.api_version} only, the version "
                "of the installed stripe package."
            )

    def _check(self, route: Route, tree: FormTree, request: Request) -> dict[str, Any]:
        if request.path.startswith(_INTENT_PATHS) and request.method == "POST":
            refuse_payment_method_types(tree)
        params = check_parameters(tree, shape_of(route.params))
        check_expansions(params.get("expand", ()), resource_named(route.answers), is_list=route.is_list)
        beyond = sorted(params.keys() - route.modelled)
        if beyond:
            raise not_modelled(f"the parameter {', '.join(beyond)} of {route.name}")
        return params

    def _run(
        self,
        route: Route,
        caller: Caller,
        params: dict[str, Any],
        path: dict[str, str],
        origin: Origin,
        met: Misbehaviour | None,
    ) -> Answer:
        """Run the endpoint; a fault after the work began is an answer to keep, one before it is raised."""
        broken = None
        if met is not None and met.status is not None:
            fault = StripeFault(met.status, _kind_of(met.status), "An unknown error occurred")
            broken = Answer(met.status, self._error_body(fault, origin.request_id), origin.request_id)
        if met is not None and not met.effect:
            return broken or Answer(500, {}, origin.request_id)
        with self._world.lock:
            try:
                # What the bank does to a refund waits for nobody to ask or to be told.
                end_waiting(self._world, caller.ledger)
                call = Call(self._world, caller.ledger, params, path, origin, caller.publishable)
                made = route.endpoint(call)
                answer = self._finish(call, made)
            except StripeFault as fault:
                if fault.before_execution:
                    raise
                answer = Answer(fault.status, self._error_body(fault, origin.request_id), origin.request_id)
            finally:
                self._settle()
        return broken or answer

    def _finish(self, call: Call, made: JsonObject) -> Answer:
        if call.publishable:
            return Answer(200, public_view(made, call.given("client_secret")), call.origin.request_id)
        body = expand_reply(call.ledger, made, call.given("expand", ()))
        wrong = faults_in_reply(body)
        if wrong:
            self.bad_replies.extend(wrong)
            raise StripeFault(
                500, "api_error", "The Stripe sandbox answered what Stripe never would: " + "; ".join(wrong)
            )
        return Answer(200, body, call.origin.request_id)


def _key_in(authorization: str) -> str:
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode().partition(":")[0]
        except ValueError:
            return ""
    return ""


def _kind_of(status: int) -> str:
    """https://docs.stripe.com/api/errors: 5xx is api_error, 409 and 429 come as invalid_request_error."""
    return "api_error" if status >= 500 else "invalid_request_error"
