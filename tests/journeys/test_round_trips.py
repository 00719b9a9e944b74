"""What a page costs, counted on the wire to the database."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.journeys.console import ROOT


def test_a_view_of_a_pay_page_is_one_call_to_the_database() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.journeys.counted_machine"], cwd=ROOT, capture_output=True, text=True, timeout=90
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == {
        "one_time, first view": ["BatchGetItem"],
        "one_time, again": ["BatchGetItem"],
        "monthly, first view": ["BatchGetItem"],
        "monthly, again": ["BatchGetItem"],
    }
