"""How the machine begins and ends, seen from outside."""

import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from tests.journeys.console import RunningMachine, ask


def descendants(pid: int) -> set[int]:
    """Every process that `pid` started, directly or not."""
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    parent_of = {int(line.split()[0]): int(line.split()[1]) for line in listed.splitlines()}
    found: set[int] = set()
    while more := {child for child, parent in parent_of.items() if parent in found | {pid}} - found:
        found |= more
    return found


def alive(pids: set[int]) -> set[int]:
    return {pid for pid in pids if Path(f"/proc/{pid}").exists()}


def wait_until_gone(pids: set[int]) -> None:
    deadline = time.monotonic() + 10
    while alive(pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert alive(pids) == set()


def test_it_is_ready_within_twenty_seconds_ends_with_all_its_children_and_runs_again_on_the_same_ports(
    tmp_path: Path,
) -> None:
    machine = RunningMachine(tmp_path / "output.txt")
    for number in (signal.SIGTERM, signal.SIGINT):
        with machine:
            assert machine.seconds_to_ready < 20
            assert machine.process is not None
            children = descendants(machine.process.pid)
            assert children
            assert machine.stop(number) == 0
        wait_until_gone(children)
        assert machine.output.read_text().endswith("Ctrl-C ends it.\nEnding ...\n")


def test_while_it_starts_it_answers_nothing_and_a_signal_ends_it_cleanly(tmp_path: Path) -> None:
    machine = RunningMachine(tmp_path / "output.txt")
    with machine.output.open("wb") as output:
        process = subprocess.Popen(
            machine.command, cwd=machine.folder, env=machine.environment, stdout=output, stderr=subprocess.STDOUT
        )
    while "Starting" not in machine.output.read_text():
        assert process.poll() is None
        time.sleep(0.02)
    assert ask("GET", f"{machine.control.url}/healthz").status == 503
    refused = ask("GET", f"{machine.control.url}/info")
    assert (refused.status, refused.body["error"]["code"]) == (503, "provider_unavailable")
    children = descendants(process.pid)
    process.terminate()
    assert process.wait(30) == 0
    wait_until_gone(children)


def test_killing_it_outright_leaves_no_java_behind(tmp_path: Path) -> None:
    machine = RunningMachine(tmp_path / "output.txt")
    machine.start()
    assert machine.process is not None
    children = descendants(machine.process.pid)
    assert machine.stop(signal.SIGKILL) == -signal.SIGKILL
    wait_until_gone(children)


@pytest.mark.parametrize("variable", ["TILL_PORT", "TILL_CONTROL_PORT"])
def test_a_taken_port_is_said_and_nothing_is_started(tmp_path: Path, variable: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        machine = RunningMachine(tmp_path / "output.txt", **{variable: str(port)})
        ended = subprocess.run(
            machine.command, cwd=machine.folder, env=machine.environment, capture_output=True, text=True, timeout=60
        )
    assert ended.returncode == 1
    assert ended.stderr == (
        f"Port {port} is taken by another program. End it, or choose another: {variable}={port + 10} make run\n"
    )
    assert ended.stdout == ""


def test_a_port_that_is_no_number_is_said(tmp_path: Path) -> None:
    machine = RunningMachine(tmp_path / "output.txt", TILL_PORT="eight")
    ended = subprocess.run(
        machine.command, cwd=machine.folder, env=machine.environment, capture_output=True, text=True, timeout=60
    )
    assert (ended.returncode, ended.stderr) == (1, "TILL_PORT is no port: eight\n")
