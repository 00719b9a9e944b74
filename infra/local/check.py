"""`python -m infra.local.check`: asks the running machine whether everything that must hold does, and prints it."""

from __future__ import annotations

import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any, Final

from chalicelib.services.checking import Report

SECONDS: Final = 120.0
_NO_MACHINE: Final = 2


def as_json(report: Report) -> dict[str, Any]:
    """How the control plane tells a report."""
    return {
        "holds": report.holds,
        "violations": [
            {"invariant": each.invariant, "record": each.record_id, "message": each.message}
            for each in report.violations
        ],
        "undone": [{"record": each.record_id, "message": each.message} for each in report.undone],
        "counted": dict(report.counted),
    }


def as_text(report: Mapping[str, Any]) -> str:
    """The report as a table: what was looked at, what is not done yet, what does not hold."""
    rows = [
        f"  {count:>7,}  {name}" for name, count in sorted(report["counted"].items(), key=lambda row: row[0].lower())
    ]
    lines = ["Looked at:", *rows]
    if report["undone"]:
        lines += ["", "Not done yet, and known to be:"]
        lines += [f"  {each['record']}  {each['message']}" for each in report["undone"]]
    lines.append("")
    if report["holds"]:
        lines.append("Everything that must hold does.")
    else:
        count = len(report["violations"])
        lines.append(f"{count} violation{'' if count == 1 else 's'}:")
        lines += [f"  {each['invariant']:<4} {each['record']}  {each['message']}" for each in report["violations"]]
    return "\n".join(lines)


def main() -> int:
    """Print what the machine says; 0 where all holds, 1 where something does not, 2 where no machine answers."""
    port = os.environ.get("TILL_CONTROL_PORT", "") or "8001"
    url = f"http://127.0.0.1:{port}/check"
    try:
        with urllib.request.urlopen(url, timeout=SECONDS) as answer:
            report = json.load(answer)
    except urllib.error.HTTPError as refused:
        with refused:
            print(f"The machine at port {port} could not check: {refused.read().decode()}", file=sys.stderr)
        return _NO_MACHINE
    except OSError as error:
        print(f"No machine answers at port {port} ({error}). Start one with `make run`.", file=sys.stderr)
        return _NO_MACHINE
    print(as_text(report))
    return 0 if report["holds"] else 1


if __name__ == "__main__":
    sys.exit(main())
