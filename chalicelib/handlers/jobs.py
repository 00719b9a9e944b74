"""The Lambdas behind the schedule and the queues. `app` is never imported there, so each sets up what it needs.

What a job does is imported when it runs: each Lambda, and the web app, pays for its own alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from chalice.app import Blueprint, CloudWatchEvent, Cron, Rate, SQSEvent

from chalicelib import wiring
from chalicelib.handlers.boundary import each_message, in_order, job, until_failure
from chalicelib.handlers.time_left import TO_CHARGE, TO_ISSUE, TO_SWEEP, TO_WORK, enough_for
from chalicelib.observability import emit_metric, get_logger, set_up_logging

set_up_logging()
_LOG: Final = get_logger("till.jobs")

jobs = Blueprint(__name__)

COUNTED: Final[Mapping[str, str]] = {
    "payment.succeeded": "payments_succeeded",
    "payment.failed": "payments_failed",
    "subscription.activated": "subscriptions_activated",
    "subscription.past_due": "subscriptions_past_due",
}
"""Events whose number is a metric. CloudWatch charges for each metric by the month, so it is a few and not all."""
CHARGE_METRICS: Final[Mapping[str, str]] = {
    "paid": "invoices_charged",
    "declined": "charges_failed",
    "refused": "charges_failed",
    "requires_action": "charges_failed",
}
"""What of a charge worker's outcomes is counted; the log line has each."""
MOST_LOGGED: Final = 100
"""Violations that one audit writes out; the metric counts them all."""


@jobs.schedule(Rate(5, unit=Rate.MINUTES))
@job
def sweep(event: CloudWatchEvent) -> dict[str, Any]:
    """Hand everything that is due to its queue."""
    from chalicelib.services.billing.sweeping import sweep as sweep_timers

    swept = sweep_timers(wiring.worker_ports(), enough_time=enough_for(event, TO_SWEEP))
    emit_metric("timers_due", swept.due, "Count")
    emit_metric("oldest_due_lag", swept.lag_seconds, "Seconds")
    return {"due": swept.due, "messages": swept.messages}


@jobs.schedule(Cron(0, 3, "*", "*", "?", "*"))
@job
def audit(event: CloudWatchEvent) -> dict[str, Any]:
    """Every night at three (UTC): check what must always hold, against Stripe's own lists too."""
    from chalicelib.services.checking import check_lasting

    report = check_lasting(wiring.inspection(), wiring.ledger(), wiring.worker_ports().clock)
    for violation in report.violations[:MOST_LOGGED]:
        found = {"invariant": violation.invariant, "record": violation.record_id, "found": violation.message}
        _LOG.error("invariant_violated", extra=found)
    emit_metric("invariant_violations", len(report.violations), "Count")
    emit_metric("undone", len(report.undone), "Count")
    return {"violations": len(report.violations), "undone": len(report.undone), "counted": dict(report.counted)}


@jobs.schedule(Cron(0, 2, "*", "*", "?", "*"))
@job
def catch_up(event: CloudWatchEvent) -> dict[str, Any]:
    """Every night at two (UTC): have each account's list of events at Stripe read, for what no webhook brought."""
    from chalicelib.services.event_sweep import begin_sweeps

    return {"accounts": begin_sweeps(wiring.worker_ports())}


@jobs.on_sqs_message(queue="billing.fifo", batch_size=1)
@job
def bill(event: SQSEvent) -> dict[str, Any]:
    """Issue what is due for up to nineteen subscriptions of one merchant, in order."""
    from chalicelib.services.billing.bounds import USUAL, Bounds
    from chalicelib.services.billing.issuing import issue_due
    from chalicelib.services.mails import timer_of

    given = wiring.facts().daily_bounds
    bounds = USUAL if given is None else Bounds(*given)

    def handle(body: Mapping[str, Any]) -> None:
        timers = [timer_of(each) for each in body["timers"]]
        merchant = body["merchant_id"]
        enough_time = enough_for(event, TO_ISSUE)
        issued = issue_due(wiring.worker_ports(), merchant, timers, bounds=bounds, enough_time=enough_time)
        emit_metric("invoices_issued", issued.invoices, "Count")
        if issued.held:
            emit_metric("invoices_held", issued.held, "Count")
        if issued.parked is not None:
            emit_metric("merchants_parked", 1, "Count")
            _LOG.error("merchant_parked", extra={"merchant": merchant, "reason": issued.parked})
        _LOG.info("issued", extra={"merchant": merchant, "invoices": issued.invoices, "more": issued.more})

    return in_order(event, handle)


@jobs.on_sqs_message(queue="charges", batch_size=5)
@job
def charge(event: SQSEvent) -> dict[str, Any]:
    """Charge due invoices to their stored methods."""
    from chalicelib.services.billing.charging import charge_invoice
    from chalicelib.services.mails import timer_of

    def handle(body: Mapping[str, Any]) -> None:
        outcome = charge_invoice(wiring.worker_ports(), timer_of(body))
        if outcome in CHARGE_METRICS:
            emit_metric(CHARGE_METRICS[outcome], 1, "Count")
        _LOG.info("charged", extra={"invoice": body["record_id"], "outcome": outcome})

    return each_message(event, handle, enough_time=enough_for(event, TO_CHARGE))


@jobs.on_sqs_message(queue="work", batch_size=10)
@job
def work(event: SQSEvent) -> dict[str, Any]:
    """Everything else that a timer asks for: mails, checkouts that expire, refunds and Stripe's events left over."""
    return each_message(event, _work, enough_time=enough_for(event, TO_WORK))


@jobs.lambda_function(name="observe")
@job
def observe(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """The stream of the event log: one line for each fact, and a count of those that an operator watches.

    A batch may come twice, so counts may be a little high. The log is only ever added to: anything else is an alarm.
    """
    counts: Counter[str] = Counter()
    try:
        return until_failure(event, lambda change: _observe(change, counts))
    finally:
        for name, count in sorted(counts.items()):
            emit_metric(name, count, "Count")


def _observe(change: Mapping[str, Any], counts: Counter[str]) -> None:
    from chalicelib.domain.documents.events import EVENT_TYPES

    keys = {name: str(value["S"]) for name, value in change["Keys"].items()}
    if change["eventName"] != "INSERT":
        _LOG.error("event_log_changed", extra={"merchant": keys["merchant_id"], "what": keys["id"]})
        counts["event_log_changes"] += 1
        return
    type_ = str(change["NewImage"]["type"]["S"])
    if type_ not in EVENT_TYPES:
        raise ValueError(f"{type_!r} is not an event that Till knows")
    _LOG.info("happened", extra={"type": type_, "merchant": keys["merchant_id"], "what": keys["id"]})
    if type_ in COUNTED:
        counts[COUNTED[type_]] += 1


def _work(body: Mapping[str, Any]) -> None:
    from chalicelib.domain.documents.timers import TimerKind
    from chalicelib.services.mails import timer_of

    timer = timer_of(body)
    ports = wiring.worker_ports()
    if timer.kind is TimerKind.SEND_MAIL:
        from chalicelib.handlers.mail_composer import compose
        from chalicelib.services.mails import send_mail

        outcome = send_mail(ports, ports.mailer, compose, timer.record_id)
    elif timer.kind is TimerKind.EXPIRE_CHECKOUT:
        from chalicelib.services.checkouts.expiry import expire_checkout

        expired = expire_checkout(ports, timer.record_id, actor="scheduler")
        outcome = "gone" if expired is None else str(expired.status)
        if outcome == "open":
            _LOG.error("checkout_not_closed", extra={"checkout": timer.record_id, "merchant": timer.merchant_id})
    elif timer.kind is TimerKind.APPLY_WEBHOOK:
        from chalicelib.services.intake import apply_received

        outcome = apply_received(ports, timer.record_id)
    elif timer.kind is TimerKind.FINISH_REFUND:
        from chalicelib.services.refunds.making import finish_refund

        outcome = finish_refund(ports, timer)
    elif timer.kind is TimerKind.SWEEP_EVENTS:
        from chalicelib.services.event_sweep import sweep_events

        caught = sweep_events(ports, timer.record_id, direct_merchant_id=wiring.settings().direct_merchant)
        emit_metric("events_caught_up", caught.taken_in, "Count")
        for problem in caught.undone:
            _LOG.error("event_not_done", extra={"merchant": timer.merchant_id, "reason": problem})
        outcome = caught.outcome
    else:
        raise ValueError(f"{timer.kind} does not belong into this queue")
    _LOG.info("worked", extra={"kind": str(timer.kind), "record": timer.record_id, "outcome": outcome})
