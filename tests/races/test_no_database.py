"""Without a DynamoDB Local a laptop skips the races and says so; a build fails, since nothing else can run them."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.journeys.console import ROOT

WITHOUT_JAVA = """
import sys
import pytest
from infra.local import dynamodb_local

def find_java():
    raise dynamodb_local.DynamoDbLocalUnavailable("there is no Java here")

dynamodb_local.find_java = find_java
sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", "tests/races/test_opposed_races.py"]))
"""


@pytest.mark.parametrize(
    ("ci", "code", "ending"),
    [("true", pytest.ExitCode.TESTS_FAILED, "3 errors in"), ("", pytest.ExitCode.OK, "3 skipped in")],
    ids=["build", "laptop"],
)
def test_the_races_fail_a_build_and_are_skipped_on_a_laptop_where_there_is_no_database(
    ci: str, code: pytest.ExitCode, ending: str
) -> None:
    command = [sys.executable, "-c", WITHOUT_JAVA]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "CI": ci}, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "there is no Java here" in done.stdout
    assert done.stdout.splitlines()[-1].startswith(ending)
