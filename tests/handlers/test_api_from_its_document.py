"""Requests made from the API's own document, right ones and wrong ones, and what schemathesis says of the answers.

It complains of a 5xx, of a status, header or body that is not documented, of wrong data that was taken and right data
that was not, of methods that should not be, and of anything that opens without a key.

`make test` sends a few thousand, the same ones each time. `make fuzz` sends others for MINUTES.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from chalicelib.handlers.api.keywords import EXAMPLE_ULID
from tests.api_routes import RECORDS, ROUTES
from tests.handlers.conftest import ApiWorld

CONFIG = Path(__file__).with_name("schemathesis.toml")
MINUTES = float(os.environ.get("MINUTES", "0"))
ABOUT_TEN_SECONDS = ("--phases", "examples,coverage", "--seed", "1")
REVOKING = "revoke_api_key"
"""What ends the run's own key, once a list has told of it, and with it the run."""


def schemathesis(world: ApiWorld, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """A run over everything that the document names. Raises nothing: its output says what it found."""
    base = f"http://127.0.0.1:{world.port}"
    command = [
        *(sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()"),
        *("--config-file", str(CONFIG), "run", f"{base}/v1/openapi.json", "--url", base),
        *("--header", f"Authorization: Bearer {world.key}", "--no-color", *options),
    ]
    # It keeps what it has learnt in the folder that it runs in: each run is to begin anew.
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.timeout(MINUTES * 60 + 180)
def test_the_api_is_what_its_document_says(api_world: ApiWorld, tmp_path: Path) -> None:
    # The records that the document's examples name are there.
    owner = api_world.merchant.id
    api_world.put(*(make(id=f"{prefix}_{EXAMPLE_ULID}", merchant_id=owner) for prefix, make in RECORDS.items()))
    assert REVOKING in {route.operation.id for route in ROUTES}
    options = ("--max-time", str(int(MINUTES * 60))) if MINUTES else ABOUT_TEN_SECONDS
    done = schemathesis(api_world, tmp_path, "--exclude-operation-id", REVOKING, *options)
    assert done.returncode == 0, done.stdout + done.stderr
    if MINUTES:
        done = schemathesis(api_world, tmp_path, "--include-operation-id", REVOKING, "--max-examples", "500")
        assert done.returncode == 0, done.stdout + done.stderr
