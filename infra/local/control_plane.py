"""The machine's control plane: merchants, time, mail and Stripe's other side, for tests and curious people."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final

from chalicelib.domain.errors import TillError
from chalicelib.handlers.boundary import error_body, status_of
from infra.local.check import as_json
from infra.local.clock import ClockWentBackwards
from infra.local.control_page import mail_page
from infra.local.durations import NotADuration, parse_duration
from infra.local.faults import ANY, Fault, FaultKind
from infra.local.machine import Machine, NotReady
from infra.local.strict_json import BadRequest, Fields, read_object
from infra.local.stripe_sandbox.faults import StripeFault

STRIPE_RESOURCES: Final = frozenset(
    {
        "accounts",
        "customers",
        "payment_methods",
        "payment_intents",
        "setup_intents",
        "charges",
        "refunds",
        "balance_transactions",
        "events",
        "requests",
    }
)
FAULT_SERVICES: Final = ("stripe", "dynamodb", "sqs", "ses", "s3", "http")
WEBHOOK_MODES: Final = ("normal", "hold", "duplicate", "shuffle", "drop")

Answer = tuple[int, dict[str, Any] | str]
"""A status, and JSON or the text of a page."""
View = Callable[..., Answer]

# RFC 3339, which `fromisoformat` reads among much else that nobody should send.
_TIMESTAMP: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)", re.ASCII)


class ControlPlane:
    """Answers requests; knows nothing of sockets."""

    def __init__(self, machine: Machine, control_url: Callable[[], str]) -> None:
        self._machine = machine
        self._control_url = control_url
        self._routes: list[tuple[str, re.Pattern[str], View]] = [
            ("GET", re.compile(r"/"), self._page),
            ("GET", re.compile(r"/healthz"), self._healthz),
            ("GET", re.compile(r"/info"), self._info),
            ("POST", re.compile(r"/merchants"), self._add_merchant),
            ("POST", re.compile(r"/keys"), self._add_key),
            ("GET", re.compile(r"/clock"), self._clock),
            ("POST", re.compile(r"/clock"), self._move_clock),
            ("POST", re.compile(r"/settle"), self._settle),
            ("GET", re.compile(r"/mail"), self._mail),
            ("GET", re.compile(r"/check"), self._check),
            ("POST", re.compile(r"/faults"), self._add_fault),
            ("DELETE", re.compile(r"/faults"), self._clear_faults),
            ("GET", re.compile(r"/stripe/(?P<resource>[a-z_]+)"), self._stripe),
            ("POST", re.compile(r"/stripe/webhooks"), self._webhook_mode),
            ("POST", re.compile(r"/stripe/payment_methods/(?P<method_id>\w+)"), self._behaviour),
            ("POST", re.compile(r"/stripe/refunds"), self._refund),
            ("POST", re.compile(r"/reset"), self._reset),
        ]

    def answer(self, method: str, path: str, body: bytes, request_id: str) -> Answer:
        """The answer to one request, refusals included."""
        try:
            return self._dispatch(method, path, body)
        except BadRequest as bad:
            return _refusal(bad.code, bad.message, request_id, bad.param)
        except TillError as refused:
            return _refusal(refused.code, refused.message, request_id, refused.param)
        except NotReady as error:
            return _refusal("provider_unavailable", str(error), request_id)

    def _dispatch(self, method: str, path: str, body: bytes) -> Answer:
        matches = [(verb, view, found) for verb, pattern, view in self._routes if (found := pattern.fullmatch(path))]
        for verb, view, found in matches:
            if verb == method:
                if method == "GET":
                    return view(**found.groupdict())
                fields = Fields(read_object(body))
                return view(fields, **found.groupdict())
        if matches:
            raise BadRequest("method_not_allowed", f"{path} takes {', '.join(sorted({m[0] for m in matches}))} only.")
        raise BadRequest("not_found", f"The control plane has no {path}.")

    # --- the machine --------------------------------------------------------------------------------------------------

    def _page(self) -> Answer:
        return 200, mail_page(self._machine.mail(), self._machine.clock.now())

    def _healthz(self) -> Answer:
        ready = self._machine.is_ready()
        return (200 if ready else 503), {"status": "ready" if ready else "starting"}

    def _info(self) -> Answer:
        return 200, {**self._machine.info(), "control_url": self._control_url()}

    def _add_merchant(self, fields: Fields) -> Answer:
        name, timezone, currency = fields.text("name"), fields.text("timezone"), fields.text("currency")
        fields.done()
        merchant_id, api_key = self._machine.add_merchant(name, timezone, currency)
        return 201, {"id": merchant_id, "api_key": api_key}

    def _add_key(self, fields: Fields) -> Answer:
        merchant_id, scopes = fields.text("merchant"), fields.texts("scopes")
        fields.done()
        return 201, {"api_key": self._machine.add_key(merchant_id, scopes)}

    def _mail(self) -> Answer:
        return 200, {"data": self._machine.mail()}

    def _reset(self, fields: Fields) -> Answer:
        fields.done()
        self._machine.reset()
        return 200, self._time()

    def _check(self) -> Answer:
        return 200, as_json(self._machine.check())

    # --- time ---------------------------------------------------------------------------------------------------------

    def _time(self) -> dict[str, Any]:
        clock = self._machine.clock
        return {"now": clock.now().isoformat().replace("+00:00", "Z"), "standing": clock.standing}

    def _clock(self) -> Answer:
        return 200, self._time()

    def _move_clock(self, fields: Fields) -> Answer:
        now, advance = fields.optional_text("now"), fields.optional_text("advance")
        merchant_id, step = fields.optional_text("merchant"), fields.flag("step", default=True)
        fields.done()
        target = self._target(now, advance, merchant_id)
        try:
            report = self._machine.move_clock(target, step=step)
        except ClockWentBackwards as backwards:
            raise BadRequest("state_conflict", f"Nothing was changed: {backwards}.") from backwards
        if report.stopped is not None:
            raise BadRequest("state_conflict", f"The clock {report.stopped}; it stands at {self._time()['now']}.")
        return 200, {**self._time(), **report.as_json()}

    def _target(self, now: str | None, advance: str | None, merchant_id: str | None) -> datetime:
        if (now is None) == (advance is None):
            raise BadRequest("missing_field", "Give either now or advance.", "now")
        if now is not None:
            if merchant_id is not None:
                raise BadRequest("unknown_field", "merchant goes with advance only.", "merchant")
            return _read_time(now)
        try:
            return self._machine.after(parse_duration(advance or ""), merchant_id)
        except (NotADuration, OverflowError) as error:
            raise BadRequest("invalid_value", f"advance: {error}.", "advance") from error

    def _settle(self, fields: Fields) -> Answer:
        fields.done()
        return 200, self._machine.settle().as_json()

    # --- faults -------------------------------------------------------------------------------------------------------

    def _add_fault(self, fields: Fields) -> Answer:
        service = _one_of(fields.text("service"), "service", FAULT_SERVICES)
        kind = FaultKind(_one_of(fields.text("kind"), "kind", [str(each) for each in FaultKind]))
        fault = Fault(
            service,
            fields.optional_text("operation") or ANY,
            kind,
            # An answer can only be lost where there was one.
            effect=fields.flag("effect", default=kind is FaultKind.LOST_REPLY),
            nth=fields.optional_whole("nth") or 1,
            times=fields.optional_whole("times") or 1,
        )
        code = fields.optional_whole("code")
        fields.done()
        if code is not None and kind is not FaultKind.ERROR:
            raise BadRequest("unknown_field", "code goes with the kind error only.", "code")
        if code is not None and not 400 <= code <= 599:
            raise BadRequest("out_of_range", "code is an HTTP status from 400 to 599.", "code")
        fault.code = code or fault.code
        self._machine.faults.add(fault)
        return 201, {**asdict(fault), "kind": str(kind)}

    def _clear_faults(self, fields: Fields) -> Answer:
        fields.done()
        self._machine.faults.clear()
        self._machine.stripe.behave()
        return 200, {}

    # --- Stripe -------------------------------------------------------------------------------------------------------

    def _stripe(self, resource: str) -> Answer:
        if resource not in STRIPE_RESOURCES:
            raise BadRequest("not_found", f"Stripe's side lists {', '.join(sorted(STRIPE_RESOURCES))}.")
        return 200, {"data": self._machine.stripe_listing(resource)}

    def _webhook_mode(self, fields: Fields) -> Answer:
        mode = fields.text("mode")
        fields.done()
        _one_of(mode, "mode", WEBHOOK_MODES)
        self._machine.stripe.set_webhook_mode(mode)  # type: ignore[arg-type]  # checked one line above
        return 200, {"mode": mode}

    def _behaviour(self, fields: Fields, method_id: str) -> Answer:
        behaves = fields.text("behaves")
        fields.done()
        try:
            self._machine.stripe.set_behaviour(method_id, behaves)
        except KeyError as unknown:
            raise BadRequest("not_found", f"Stripe's side does not know {unknown}.") from unknown
        return 200, {"payment_method": method_id, "behaves": behaves}

    def _refund(self, fields: Fields) -> Answer:
        charge, amount = fields.text("charge"), fields.optional_whole("amount")
        fields.done()
        try:
            return 201, self._machine.stripe.create_refund(charge, amount)
        except KeyError as unknown:
            raise BadRequest("not_found", f"Stripe's side does not know {unknown}.") from unknown
        except StripeFault as fault:
            raise BadRequest("invalid_value", str(fault), "amount") from fault


def _one_of(value: str, param: str, allowed: Sequence[str]) -> str:
    if value not in allowed:
        raise BadRequest("invalid_value", f"{param} is one of {', '.join(allowed)}.", param)
    return value


def _read_time(text: str) -> datetime:
    if _TIMESTAMP.fullmatch(text) is None:
        raise BadRequest("invalid_date", "now is a timestamp such as 2027-02-28T20:00:00Z.", "now")
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise BadRequest("invalid_date", f"now: {error}.", "now") from error


def _refusal(code: str, message: str, request_id: str, param: str | None = None) -> Answer:
    status = status_of(code)
    return status, error_body(status, code, message, request_id, param=param)
