"""`make bench`: Till and the straightforward app side by side, in ROUNDS (9) rounds; what each costs, and what must be.

Both run from the zips that are deployed, in fresh interpreters, in turn, on the same DynamoDB Local and the same data.
Process CPU is what counts: the machine may be busy, and the database's time is not the app's. Figures of different runs
are not comparable; quotients of one run are.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from infra.local.dynamodb_local import DynamoDbLocal
from tests.bench import trees, worlds
from tests.bench.counting import renewal_of_straightforward, trips_of_straightforward, trips_of_till
from tests.bench.figures import Line, at_most, by_quotient, table, told
from tests.bench.probing import probe, tops
from tests.bench.renewals import renewal_trips
from tests.bench.trees import Tree
from tests.bench.worlds import Side, World

ROUNDS = int(os.environ.get("ROUNDS", "9"))
WARM_UP = 20
PAGES = 200
WEBHOOKS = 30
FIRST_WEBHOOKS = 10
HEAVY = frozenset({"stripe", "requests", "pydantic"})
"""What no pay page may load."""


class Costs:
    """What one app took, round by round."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.framework: list[float] = []
        self.cold: list[float] = []
        self.memory: list[float] = []
        self.page: list[float] = []
        self.webhook: list[float] = []
        self.asking: list[float] = []
        self.modules: Sequence[str] = ()

    def take(self, side: Side) -> None:
        """One round."""
        folder, environment = self.tree.folder, side.environment
        self.framework.append(1e3 * probe("framework", folder, environment)["cpu"])
        cold = probe("cold", folder, environment, first=side.page)
        self.cold.append(1e3 * cold["cpu"])
        self.memory.append(cold["memory"] / 1e6)
        self.modules = cold["modules"]
        self.page.append(1e6 * self._warm(side, [side.page] * WARM_UP, [side.page] * PAGES))
        self.webhook.append(self._webhooks(side))

    def take_asking(self, side: Side) -> None:
        """The webhooks alone, of an app that asks Stripe instead of taking the event's word for it."""
        self.asking.append(self._webhooks(side))

    def _webhooks(self, side: Side) -> float:
        return 1e6 * self._warm(side, side.webhooks[:FIRST_WEBHOOKS], side.webhooks[FIRST_WEBHOOKS:])

    def _warm(self, side: Side, warm_up: Sequence[Any], measured: Sequence[Any]) -> float:
        took = probe("warm", self.tree.folder, side.environment, warm_up=list(warm_up), measured=list(measured))
        return float(took["cpu"])


def measure(world: World, baseline: Costs, till: Costs) -> None:
    """All rounds, the two apps in turn, the one that begins another each time."""
    for number in range(ROUNDS):
        theirs, prefix = world.straightforward()
        asking, asked = world.straightforward(asks=True)
        ours, config = world.till()
        turns = [partial(baseline.take, theirs), partial(baseline.take_asking, asking), partial(till.take, ours)]
        for turn in turns if number % 2 else reversed(turns):
            turn()
        booked = (
            world.booked_by_straightforward(prefix),
            world.booked_by_straightforward(asked),
            world.booked_by_till(config),
        )
        assert booked == (FIRST_WEBHOOKS + WEBHOOKS,) * 3, booked
        print(
            f"round {number + 1}: first page {baseline.cold[-1]:.0f} and {till.cold[-1]:.0f} ms,"
            f" page {baseline.page[-1]:.0f} and {till.page[-1]:.0f} us,"
            f" webhook {baseline.asking[-1]:.0f} (not asking {baseline.webhook[-1]:.0f}) and {till.webhook[-1]:.0f} us",
            file=sys.stderr,
        )


def lines_of(baseline: Costs, till: Costs) -> list[Line]:
    """Rows 1 to 5."""
    first = by_quotient("1", "first pay page, cold", baseline.cold, till.cold, "ms", 4, 14)
    framework = median(till.cold) / median(till.framework)
    theirs, ours = tops(baseline.modules) & HEAVY, tops(till.modules) & HEAVY
    sizes = [costs.tree.size / 1e6 for costs in (baseline, till)]
    shares = [100 * costs.tree.compiled for costs in (baseline, till)]
    return [
        first,
        told(
            "1", "the same, as a multiple of `import chalice`",
            f"{median(baseline.cold) / median(baseline.framework):.1f}", f"{framework:.1f}",
            "", True, "at most 2", framework <= 2,
        ),
        at_most("2", "modules loaded by it", len(baseline.modules), len(till.modules), "", 300, 110),
        told(
            "2", "stripe, requests, pydantic among them",
            ", ".join(sorted(theirs)) or "none", ", ".join(sorted(ours)) or "none",
            "none", not ours, "none", not ours,
        ),
        at_most("2", "memory over a bare interpreter", median(baseline.memory), median(till.memory), "MB", 30, 10),
        at_most("3", "zip", sizes[0], sizes[1], "MB", 8, 3),
        told(
            "3", "modules compiled by hash", f"{shares[0]:.0f} %", f"{shares[1]:.0f} %",
            "100 %", shares[1] == 100, "100 %", shares[1] == 100,
        ),
        by_quotient("4", "a pay page, warm", baseline.page, till.page, "us", 1.2, 10),
        by_quotient("5", "a webhook that books, both asking Stripe", baseline.asking, till.webhook, "us", 1.2, 12),
        by_quotient(
            "5", "the same, against one that trusts the event's object", baseline.webhook, till.webhook, "us", 1.2, 12
        ),
    ]  # fmt: skip


def counted(world: World, baseline: Tree, till: Tree, endpoint: str) -> list[Line]:
    """Row 9."""
    their_page, their_hook = trips_of_straightforward(world, baseline.folder, endpoint)
    page, hook = trips_of_till(world, till.folder, endpoint)
    # One lease brings the tokens of many calls: counted apart here as in a renewal.
    hook = hook.without_leases
    one, many = renewal_trips(endpoint)
    theirs = str(renewal_of_straightforward(world, baseline.folder, endpoint))
    return [
        told(
            "9", "round trips of a pay page", str(their_page), str(page),
            "1", len(page.database) <= 1, "1", len(page.database) <= 1,
        ),
        told(
            "9", "round trips of a webhook that books, without the lease of Stripe's pace", str(their_hook), str(hook),
            "3 + Stripe", len(hook.database) <= 3, "2 + Stripe", len(hook.database) <= 2,
        ),
        told(
            "9", "round trips of a renewal alone", theirs, one.words,
            "5 + Stripe", one.database <= 5, "2.2 + Stripe", one.database <= 2.2,
        ),
        told(
            "9", "the same, each of 19 due together", theirs, many.words,
            "5 + Stripe", many.database <= 5, "2.2 + Stripe", many.database <= 2.2,
        ),
    ]  # fmt: skip


def main() -> int:
    """Measure, print, and say by the exit code whether every first must is met."""
    os.environ.update(worlds.NOBODY)
    with tempfile.TemporaryDirectory() as folder, DynamoDbLocal() as endpoint:
        scratch = Path(folder)
        baseline, till = Costs(trees.straightforward(scratch)), Costs(trees.till(scratch))
        with worlds.world(endpoint, FIRST_WEBHOOKS + WEBHOOKS) as world:
            found = counted(world, baseline.tree, till.tree, endpoint)
            measure(world, baseline, till)
    lines = lines_of(baseline, till) + found
    print(
        f"Python {sys.version.split()[0]}, medians of {ROUNDS} rounds, process CPU; x less = straightforward / Till\n"
    )
    print(table(lines))
    most = Counter(name.partition(".")[0] for name in till.modules).most_common(8)
    print(f"\nTill's modules: {', '.join(f'{count} {name}' for name, count in most)}")
    return 0 if all(line.met for line in lines) else 1


if __name__ == "__main__":
    sys.exit(main())
