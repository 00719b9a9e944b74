"""A machine with a counter on its database's wire, which prints as JSON what each page view sends.

It is a program of its own, since a machine takes a whole process for itself.
"""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack

from infra.local.machine import Machine
from tests.journeys.console import ask
from tests.wire import Wire


def main() -> None:
    """Open each demo link twice, once as a stranger and once with the cookie that the first view set."""
    wires: list[Wire] = []
    with ExitStack() as parts:

        def counted(endpoint: str) -> str:
            wires.append(parts.enter_context(Wire(endpoint)))
            return wires[0].endpoint

        machine = Machine(0, warn=sys.exit, database_through=counted)
        parts.callback(machine.stop)
        machine.take_port()
        machine.start()
        # While the clock stands the schedule does not tick, so nothing but the pages reads.
        machine.clock.stand()
        seen: dict[str, list[str]] = {}
        for name, url in machine.info()["links"].items():
            wires[0].forget()
            first = ask("GET", url)
            seen[f"{name}, first view"] = wires[0].operations()
            wires[0].forget()
            again = ask("GET", url, headers={"Cookie": first.headers["set-cookie"].partition(";")[0]})
            seen[f"{name}, again"] = wires[0].operations()
            assert (first.status, again.status) == (200, 200)
    sys.stdout.write(json.dumps(seen) + "\n")


if __name__ == "__main__":
    main()
