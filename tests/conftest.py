"""What every test stands on: credentials that are nobody's, and one DynamoDB Local for the whole run."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from functools import cache
from uuid import uuid4

import botocore.session
import pytest
from botocore.loaders import create_loader
from playwright.sync_api import Browser, sync_playwright

from chalicelib.aws.signing import Credentials
from chalicelib.storage.schema import StoreConfig
from infra.local.dynamodb_local import DynamoDbLocal, DynamoDbLocalUnavailable
from infra.local.tables import TEMPLATE, create_tables
from tests.faults.table import lines_of as matrix_lines
from tests.journeys.console import RunningMachine

REGION = "us-east-1"
CHROMIUM_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


@pytest.fixture(scope="session", autouse=True)
def nobodys_credentials() -> Iterator[None]:
    """No test can reach an account of AWS, whatever the machine's own configuration says."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
            patch.delenv(name, raising=False)
        for name, value in (
            ("AWS_ACCESS_KEY_ID", "local"),
            ("AWS_SECRET_ACCESS_KEY", "local"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
            ("AWS_CONFIG_FILE", os.devnull),
            ("AWS_SHARED_CREDENTIALS_FILE", os.devnull),
        ):
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="session", autouse=True)
def aws_read_once() -> Iterator[None]:
    """What botocore knows of AWS is read from its files once in a process: a Lambda makes its clients once, tests
    hundreds of them, each of which would read the same 2 MB again."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.session, "create_loader", cache(create_loader))
        yield


@pytest.fixture(scope="session")
def dynamodb_endpoint(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a DynamoDB Local. Where there is none, a build fails and a laptop skips."""
    # It answers one request at a time, so each worker of a run has its own, and for long enough to warm up.
    database = DynamoDbLocal(for_long=hasattr(request.config, "workerinput"))
    try:
        endpoint = database.start()
    except DynamoDbLocalUnavailable as error:
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(str(error))
        pytest.skip(str(error))
    try:
        yield endpoint
    finally:
        database.stop()


def make_tables(endpoint: str) -> StoreConfig:
    """Fresh tables under names that nobody else has, without the stream: no test reads it from a database."""
    prefix = f"till-{uuid4().hex[:12]}"
    names = {f"{part}Table": f"{prefix}-{part.lower()}" for part in ("Records", "Events", "Timers")}
    create_tables(TEMPLATE, endpoint, names, REGION, streams=False)
    tables = names["RecordsTable"], names["EventsTable"], names["TimersTable"]
    return StoreConfig(REGION, endpoint, *tables, credentials=Credentials("local", "local"))


@pytest.fixture(scope="module")
def store_config(dynamodb_endpoint: str) -> StoreConfig:
    """Fresh tables at DynamoDB Local for one test module."""
    return make_tables(dynamodb_endpoint)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The system's Chromium, one for all tests of a process: two Playwrights in one process block each other."""
    chromium = shutil.which("chromium")
    if chromium is None:
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail("Chromium is not on the PATH")
        pytest.skip("Chromium is not on the PATH")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=list(CHROMIUM_FLAGS))
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def running_machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningMachine]:
    """The whole machine, one for all tests of a process; whoever uses it posts `/reset` first."""
    with RunningMachine(tmp_path_factory.mktemp("machine") / "output.txt") as machine:
        yield machine


@pytest.fixture(scope="session")
def api_port() -> Iterator[int]:
    """The port of the API: an app can be served once in a process, so everybody asks this one."""
    # Imported here: most tests never ask, and need not wait for every view to be loaded.
    from chalice.app import Response

    from infra.local.gateway import WebServer
    from tests.api_routes import APP

    def render_error(code: str, request_id: str) -> Response:
        return Response(body=f"{code} {request_id}", status_code=404, headers={"Content-Type": "text/html"})

    server = WebServer(APP, 0, healthy=lambda: True, render_error=render_error)
    server.start()
    try:
        yield server.port
    finally:
        server.stop()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What the kill matrix did, where it was run."""
    lines = matrix_lines(report for reports in terminalreporter.stats.values() for report in reports)
    if lines:
        terminalreporter.section("kill matrix")
        for line in lines:
            terminalreporter.write_line(line)
