"""`make guards`: take out one condition, token or ordering at a time, in a copy of the project, and see a test go red.

Prints a table; exit code 1 when a guard could be removed without any of its tests noticing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from tests.guards.table import GUARDS, Guard

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("chalicelib", "infra", "tests", "app.py", "pyproject.toml", ".chalice", ".cache")
WORKERS = int(os.environ.get("WORKERS", "2"))
SECONDS = 300
RED = 1
"""pytest's exit code when tests ran and some failed; 2 to 5 are other troubles, which prove nothing."""


def _copy(origin: Path, target: Path) -> None:
    for name in COPIED:
        source = origin / name
        if name == ".cache" and source.exists():
            # The jar is large and nobody writes to it.
            (target / name).symlink_to(source.resolve())
        elif source.is_dir():
            shutil.copytree(source, target / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif source.exists():
            shutil.copy2(source, target / name)


def _run(folder: Path, tests: tuple[str, ...]) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--no-header", *tests],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def try_without(origin: Path, guard: Guard) -> tuple[Guard, bool, str]:
    """Whether a test goes red without the guard, and which; or what else happened."""
    with tempfile.TemporaryDirectory(prefix="till-guard-") as name:
        folder = Path(name)
        _copy(origin, folder)
        path = folder / guard.file
        path.write_text(guard.removed_from(path.read_text()))
        try:
            code, output = _run(folder, guard.tests)
        except subprocess.TimeoutExpired:
            return guard, False, f"no answer in {SECONDS} s"
    if code == RED:
        red = [line.split(" - ")[0] for line in output.splitlines() if line.startswith(("FAILED", "ERROR"))]
        return guard, True, red[0].rpartition("::")[2] if red else "(unnamed)"
    return guard, False, "still green" if code == 0 else f"pytest ended with {code}: {output[-300:]}"


def main() -> int:
    """Try each guard and print the table."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="till-guards-") as name, ThreadPoolExecutor(WORKERS) as pool:
        origin = Path(name)
        # One copy from which all others are made, so that nobody's typing gets in between.
        _copy(ROOT, origin)
        everything = tuple(dict.fromkeys(test for guard in GUARDS for test in guard.tests))
        code, output = _run(origin, everything)
        if code != 0:
            print(f"With every guard in place the tests are not green, so nothing can be shown:\n{output[-2000:]}")
            return 1
        results = list(pool.map(partial(try_without, origin), GUARDS))
    width = max(len(guard.what) for guard in GUARDS)
    print(f"{'without':<{width}}  held by")
    for guard, red, said in results:
        print(f"{guard.what:<{width}}  {'red: ' if red else 'NOT NOTICED: '}{said}")
    missed = sum(not red for _, red, _ in results)
    print(f"{len(results)} guards, {missed} not noticed, {time.monotonic() - began:.0f} s")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
