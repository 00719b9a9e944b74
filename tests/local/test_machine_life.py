"""How the machine begins and ends, seen from outside."""

import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.journeys.console import RunningMachine


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


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_it_is_ready_within_twenty_seconds_and_a_signal_ends_it_with_all_its_children(
    tmp_path: Path, number: signal.Signals
) -> None:
    machine = RunningMachine(tmp_path / "output.txt")
    machine.start()
    assert machine.seconds_to_ready < 20
    assert machine.process is not None
    children = descendants(machine.process.pid)
    assert machine.stop(number) == 0
    wait_until_gone(children)
    assert machine.output.read_text().endswith("Ctrl-C ends it.\nEnding ...\n")


def test_it_says_where_everything_is(tmp_path: Path) -> None:
    with RunningMachine(tmp_path / "output.txt") as machine:
        info = machine.control.info()
        said = machine.output.read_text()
    for value in (info["base_url"], info["control_url"], info["api_key"], *info["links"].values(), info["stripe_url"]):
        assert value in said
    assert "4242 4242 4242 4242" in said
    assert "Warning" not in said


def test_it_can_be_run_again_on_the_same_ports(tmp_path: Path) -> None:
    machine = RunningMachine(tmp_path / "output.txt")
    for _ in range(2):
        machine.start()
        assert machine.stop() == 0


def test_a_signal_while_it_starts_ends_it_cleanly_too(tmp_path: Path) -> None:
    machine = RunningMachine(tmp_path / "output.txt")
    with machine.output.open("wb") as output:
        process = subprocess.Popen(
            machine.command, cwd=machine.folder, env=machine.environment, stdout=output, stderr=subprocess.STDOUT
        )
    while "Starting" not in machine.output.read_text():
        assert process.poll() is None
        time.sleep(0.02)
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


def test_real_aws_settings_of_the_shell_are_not_used(tmp_path: Path) -> None:
    somewhere = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_PROFILE": "production", "AWS_REGION": "eu-central-1"}
    with RunningMachine(tmp_path / "output.txt", AWS_ACCESS_KEY_ID="AKIAREAL", **somewhere) as machine:
        assert machine.control.settle()["errors"] == []


def test_its_servers_listen_on_loopback_alone(tmp_path: Path) -> None:
    with RunningMachine(tmp_path / "output.txt") as machine:
        assert machine.process is not None
        addresses = listening_addresses(machine.process.pid)
    # The web app, the control plane, the Stripe sandbox and moto; DynamoDB Local is a process of its own.
    assert len(addresses) == 4
    assert {address for address, _ in addresses} == {"0100007F"}


def listening_addresses(pid: int) -> set[tuple[str, str]]:
    """Address and port, in the kernel's hexadecimal, of every socket that the process itself listens on."""
    inodes = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = os.readlink(entry)
        except FileNotFoundError:
            continue
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                address, port = fields[1].split(":")
                found.add((address, port))
    return found


def test_info_is_refused_until_it_is_ready(tmp_path: Path) -> None:
    machine = RunningMachine(tmp_path / "output.txt")
    with machine.output.open("wb") as output:
        process = subprocess.Popen(
            machine.command, cwd=machine.folder, env=machine.environment, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        answer = None
        while answer is None:
            try:
                urllib.request.urlopen(f"{machine.control.url}/info", timeout=5)
                pytest.fail("the machine was ready before it could be asked")
            except urllib.error.HTTPError as refused:
                with refused:
                    answer = (refused.code, json.loads(refused.read())["error"]["code"])
            except urllib.error.URLError:
                assert process.poll() is None
                time.sleep(0.01)
        assert answer == (503, "provider_unavailable")
    finally:
        process.terminate()
        assert process.wait(30) == 0
