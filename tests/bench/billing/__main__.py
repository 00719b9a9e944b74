"""`make bench-billing`: a billing run at scale on DynamoDB Local and the Stripe sandbox, beside a straightforward app.

Sizes are set by the environment: SUBSCRIPTIONS (100000), DUE (10000), CHARGES (5000), SAMPLE (190), WORKERS (3), each a
process of THREADS (16). CPU is each process's own; calls and units are counted on the wire, in front of DynamoDB Local.
"""

from __future__ import annotations

import os
import sys
import time
from datetime import timedelta
from itertools import islice

from chalicelib.gateways.pacing import LIVE
from chalicelib.services.billing.issuing import MOST_TOGETHER
from infra.local.dynamodb_local import DynamoDbLocal
from tests.bench.billing import prices
from tests.bench.billing.measuring import (
    BASELINE_CHARGES,
    CHARGES,
    DUE,
    SAMPLE,
    SUBSCRIPTIONS,
    SWEPT,
    THREADS,
    WORKERS,
    Run,
    counted,
    issued,
    note,
    paced,
    swept,
    with_conflicts,
)
from tests.bench.billing.meter import Meter
from tests.bench.billing.processes import Peer
from tests.bench.billing.stripe_process import ACCOUNT, SECRET_KEY
from tests.bench.figures import Line, table, told
from tests.bench.worlds import NOBODY
from tests.conftest import REGION


def main() -> int:
    """Fill, measure, print, and say by the exit code whether every first must is met."""
    os.environ.update(NOBODY)
    with DynamoDbLocal(for_long=True) as endpoint, Peer("tests.bench.billing.stripe_process") as sandbox:
        stripe_url = sandbox.first
        run = Run(endpoint, stripe_url)
        theirs = {
            **NOBODY,
            "TABLES_REGION": REGION,
            "TABLES_PREFIX": "bench",
            "STRIPE_SECRET_KEY": SECRET_KEY,
            "ASK_STRIPE": "yes",
            "STRIPE_API": stripe_url,
        }
        with Meter(endpoint) as meter, Meter(endpoint) as their_meter:
            environment = {**theirs, "TABLES_HOST": their_meter.endpoint}
            with Peer("tests.bench.billing.straightforward_process", ACCOUNT, environment=environment) as peer:
                lines, costs = measured(run, sandbox, peer, meter, their_meter)
    sizes = f"{SUBSCRIPTIONS:,} subscriptions, {DUE:,} due; {CHARGES:,} charges by {WORKERS} x {THREADS} threads"
    print(f"Python {sys.version.split()[0]}; {sizes}\n")
    print(table(lines))
    for title, items in costs.items():
        print(f"\n{title}")
        for each in items:
            print(f"  {each.what:32} {each.count:14,.0f}  {each.dollars:8.4f} USD")
    return 0 if all(line.met for line in lines) else 1


def measured(
    run: Run, sandbox: Peer, peer: Peer, meter: Meter, their_meter: Meter
) -> tuple[list[Line], dict[str, list[prices.Cost]]]:
    """All rows, and the two bills."""
    note("filling, and sweeping on the way")
    lines = swept(run, peer, meter, their_meter)
    assert run.issue(run.ports) == SWEPT
    issue, charge = counted(run, meter)
    note(f"a sample of {SAMPLE}: {dict(issue.calls)}, {issue.writes:g} write units; to charge {dict(charge.calls)}")
    exactly = with_conflicts(run)
    run.book.add(DUE, run.now - timedelta(hours=1))
    note(f"{SUBSCRIPTIONS} are there; issuing {DUE}")
    ours = issued(run)
    assert ours.count == DUE
    note(f"issued {ours.count} in {ours.seconds:.1f} s")
    ids = peer.order("fill", count=SAMPLE, due=True)["ids"]
    their_meter.take()
    their_issue = peer.order("issue", ids=ids)
    their_calls = their_meter.take()
    their_charge = peer.order("charge", threads=1, count=20)
    their_charge_calls = their_meter.take()
    due = list(islice(run.charges(), CHARGES))
    assert len(due) == CHARGES
    time.sleep(1.0)
    took, at_stripe = paced(run, sandbox, due)
    share = took.done / took.seconds / LIVE.endpoint
    unpaced = {}
    more = peer.order("fill", count=2 * BASELINE_CHARGES, due=True)["ids"]
    peer.order("issue", ids=more)
    for threads in (8, 64):
        time.sleep(1.0)
        unpaced[threads] = peer.order("charge", threads=threads, count=BASELINE_CHARGES)
        note(f"unpaced, {threads} threads: {unpaced[threads]}")

    def their_share(threads: int) -> str:
        found = unpaced[threads]
        whole = found["lost"] + found["charged"]
        return f"{100 * found['charged'] / whole:.0f} % charged, the rest lost to 429 ({threads} threads)"

    refused, twice = at_stripe["refused"], at_stripe["charged_twice"] + at_stripe["invoices_twice"]
    per = issue.without_leases(), charge.without_leases()
    calls = [each.calls.total() / SAMPLE for each in per]
    our_cpu, their_cpu = 1e6 * ours.cpu / ours.count, 1e6 * their_issue["cpu"] / SAMPLE
    charge_cpu = 1e6 * took.cpu / took.done
    their_charge_cpu = 1e6 * their_charge["cpu"] / max(1, their_charge["charged"])
    idle = prices.idle_month()
    month = sum(each.dollars for each in idle)
    units = {"writes": (per[0].writes + charge.writes) / SAMPLE, "reads": (per[0].reads + charge.reads) / SAMPLE}
    thousand = prices.thousand_renewals(units, charge_seconds=0.6, issue_seconds=0.02)
    lines += [
        told(
            "6", f"calls of a renewal to issue, {MOST_TOGETHER} together, and to charge",
            f"{their_calls.calls.total() / SAMPLE:.3g} + {their_charge_calls.calls.total() / 20:.3g}",
            f"{calls[0]:.3g} + {calls[1]:.3g}",
            "1.2 + 3", calls[0] <= 1.2 and calls[1] <= 3, "0.16 + 2", calls[0] <= 0.16 and calls[1] <= 2,
        ),
        told(
            "6", "CPU of a renewal to issue", f"{their_cpu:,.0f} us",
            f"{our_cpu:,.0f} us ({their_cpu / our_cpu:.1f} x less)",
            "told", True, "10 x less", their_cpu >= 10 * our_cpu,
        ),
        told(
            "6", "CPU of a renewal to charge", f"{their_charge_cpu:,.0f} us", f"{charge_cpu:,.0f} us",
            "told", True, "told", True,
        ),
        told(
            "6", "write units of a renewal, to issue and to charge",
            f"{their_calls.writes / SAMPLE:.3g} + {their_charge_calls.writes / 20:.3g}",
            f"{per[0].writes / SAMPLE:.3g} + {per[1].writes / SAMPLE:.3g}", "told", True, "told", True,
        ),
        told(
            "6", "invoices a second, one worker", f"{SAMPLE / their_issue['seconds']:,.0f}",
            f"{ours.count / ours.seconds:,.0f}", "told", True, "told", True,
        ),
        told("6", f"exactly once, {exactly} due, four workers with every message", "", "yes", "yes", True, "yes", True),
        told(
            "8", f"share of our budget ({LIVE.endpoint} a second) used on {CHARGES:,} charges, a worker killed",
            f"{their_share(8)}; {their_share(64)}", f"{100 * share:.1f} %",
            "90 %", share >= 0.9, "98 %", share >= 0.98,
        ),
        told(
            "8", "refused by Stripe (429), and charged twice", "", f"{refused}, {twice}",
            "0, 0", not (refused or twice), "0, 0", not (refused or twice),
        ),
        told("10", "an idle month at AWS", "", f"{month:.2f} USD", "under 1 USD", month < 1, "told", True),
        told(
            "10", "1,000 renewals at AWS", "", f"{sum(each.dollars for each in thousand):.3f} USD",
            "told", True, "told", True,
        ),
    ]  # fmt: skip
    return lines, {"An idle month, by item:": idle, "1,000 renewals, by item:": thousand}


if __name__ == "__main__":
    sys.exit(main())
