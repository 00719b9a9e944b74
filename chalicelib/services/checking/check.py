"""The one function that says whether what must always hold does hold."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Final

from chalicelib.services.checking import (
    accounts,
    attempts,
    belonging,
    changes,
    history,
    ladders,
    money,
    numbers,
    periods,
    returns,
    settlement,
    work,
)
from chalicelib.services.checking.books import Books, read_books
from chalicelib.services.checking.report import Finding, Report, Undone, Violation
from chalicelib.services.ports import Clock, Inspection, Ledger

CHECKS: Final[tuple[Callable[[Books], Iterator[Finding]], ...]] = (
    money.totals_are_right,
    money.no_more_is_held_than_owed,
    money.paid_is_what_payments_say,
    money.amounts_asked_for_are_owed,
    changes.changes_are_settled,
    numbers.numbers_have_no_gap,
    periods.periods_have_one_invoice,
    periods.what_is_due_will_be_billed,
    periods.past_due_is_what_is_owed,
    attempts.tries_are_in_order,
    attempts.settled_is_let_alone,
    ladders.ladders_are_followed,
    ladders.sent_ones_become_overdue,
    ladders.who_owes_is_behind,
    work.rows_can_be_read,
    work.open_work_has_timers,
    work.open_invoices_are_collected,
    work.what_was_paid_for_is_there,
    work.reports_are_taken_over,
    returns.refunds_are_never_above_what_was_paid,
    returns.refunds_have_their_payment,
    returns.refunds_come_to_an_end,
    returns.reports_of_refunds_are_taken_over,
    history.happenings_are_told,
    history.events_are_in_order,
    history.what_was_issued_stays,
    belonging.merchants_never_meet,
    belonging.effects_have_their_cause,
)
"""What needs nothing but what is stored."""


def check_invariants(inspection: Inspection, ledger: Ledger | None, now: datetime) -> Report:
    """Check everything that is stored, of all merchants, and against Stripe's own lists where there is a `ledger`.

    It reads all of it into memory, so it is for jobs and tests. What others write meanwhile may show as a violation
    that is none: see `check_lasting`. Raises StoreUnavailable, and ProviderUnavailable and ProviderBusy where Stripe
    gave no list; an account that Stripe does not let us see is reported as undone.
    """
    books = read_books(inspection)
    found: list[Finding] = [finding for check in CHECKS for finding in check(books)]
    found += work.timers_have_records(books, now)
    counted = Counter({_plural(kind.__name__): len(records) for kind, records in books.by_kind.items()})
    counted.update(events=len(books.events), timers=len(books.timers))
    if ledger is not None:
        for account_id in accounts.accounts_of(books):
            account = accounts.read_account(ledger, account_id)
            if account is None:
                found.append(Undone(account_id or "own account", "Stripe does not let us see this account"))
                continue
            found += settlement.both_sides_agree(books, account, now)
            counted.update(
                {
                    "stripe accounts": 1,
                    "stripe intents": len(account.intents),
                    "stripe charges": len(account.charges),
                    "stripe refunds": len(account.refunds),
                    "stripe balance transactions": len(account.entries),
                }
            )
    violations = {each: None for each in found if isinstance(each, Violation)}
    undone = {each: None for each in found if isinstance(each, Undone)}
    return Report(tuple(violations), tuple(undone), dict(counted))


def check_lasting(inspection: Inspection, ledger: Ledger | None, clock: Clock) -> Report:
    """As `check_invariants`, for a system that goes on working: what was wrong must be so at a second look too.

    Three tables and Stripe cannot be read at one moment, so a transaction between two reads looks torn once, but not
    twice in the same place.
    """
    first = check_invariants(inspection, ledger, clock.now())
    if first.holds:
        return first
    second = check_invariants(inspection, ledger, clock.now())
    lasting = tuple(violation for violation in second.violations if violation in first.violations)
    return Report(lasting, second.undone, second.counted)


def _plural(name: str) -> str:
    """The name of a kind in words, for people: `StripeEvent` is counted as stripe events."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()
    return words if words.endswith("s") else f"{words}s"
