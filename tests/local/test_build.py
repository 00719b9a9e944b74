"""What the Makefile leans on: set-up that says what is missing, and a CI in which a skipped test is a failure."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.timetable import LONGEST

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if name not in ("CI", "PYTEST_ADDOPTS")}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**clean, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize(("ci", "code"), [("", 0), ("true", 1)], ids=["at home", "in CI"])
def test_a_missing_browser_is_said_and_fails_in_ci_only(tmp_path: Path, ci: str, code: int) -> None:
    done = run("-m", "infra.local.prepare", "browser", PATH=str(tmp_path), CI=ci)
    assert done.returncode == code
    assert done.stderr.startswith("Missing: Chromium is not on the PATH, so browser tests are skipped.")
    assert "sudo apt-get install chromium" in done.stderr


@pytest.mark.parametrize(("ci", "code"), [("", 0), ("true", 1)], ids=["at home", "in CI"])
def test_a_skipped_test_fails_in_ci_only(tmp_path: Path, ci: str, code: int) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    folder = tmp_path / "area" / "part"
    folder.mkdir(parents=True)
    (folder / "test_sample.py").write_text(
        "import pytest\n\ndef test_works(): pass\n\ndef test_skips(): pytest.skip('nothing to test with')\n"
    )
    done = run(
        "-m",
        "pytest",
        "-p",
        "tests.timetable",
        "-p",
        "no:cacheprovider",
        "-c",
        f"{tmp_path}/pytest.ini",
        str(folder),
        CI=ci,
    )
    assert done.returncode == code, done.stdout
    assert "1 passed, 1 skipped" in done.stdout
    assert "2 tests  area/part" in done.stdout
    assert ("skipped, which is a failure in CI" in done.stdout) == bool(ci)


def test_the_files_that_are_run_first_are_there() -> None:
    assert [file for file in LONGEST if not (ROOT / file).exists()] == []


def test_every_requirement_is_pinned() -> None:
    for name in ("requirements.txt", "requirements-dev.txt"):
        lines = [line.strip() for line in (ROOT / name).read_text(encoding="utf-8").splitlines()]
        loose = [line for line in lines if line and not line.startswith(("#", "-r ")) and "==" not in line]
        assert loose == []
