"""The wheels that Lambda needs, fetched once into `.cache`: afterwards packaging needs no network."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from infra.package.paths import ABI, CACHE, PLATFORMS, PYTHON, ROOT

REQUIREMENTS: Final = ROOT / "requirements.txt"
FETCH_SECONDS: Final = 600


class WheelsUnavailable(Exception):
    """pip could not fetch what is pinned; the message is pip's own."""


def ensure_wheels(requirements: Path = REQUIREMENTS, cache: Path = CACHE) -> Path:
    """The folder with every pinned wheel, fetched on the first call for these pins. Raises WheelsUnavailable."""
    pins = hashlib.sha256(requirements.read_bytes()).hexdigest()[:16]
    home = cache / "wheels" / f"{ABI}-{pins}"
    if home.exists():
        return home
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home.parent) as scratch:
        folder = Path(scratch) / "wheels"
        # Lambda's wheels, and this machine's own: Chalice first asks pip for what would be installed here.
        foreign = [option for platform in PLATFORMS for option in ("--platform", platform)]
        foreign += [
            "--implementation",
            "cp",
            "--python-version",
            PYTHON,
            "--abi",
            ABI,
            "--abi",
            "abi3",
            "--abi",
            "none",
        ]
        _download(requirements, folder, foreign)
        _download(requirements, folder, [])
        try:
            folder.rename(home)
        except OSError:
            # Another process was faster with the same pins.
            if not home.exists():
                raise
    return home


def _download(requirements: Path, folder: Path, options: list[str]) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--only-binary=:all:", *options, "--dest", str(folder), "--requirement", str(requirements)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=FETCH_SECONDS, check=False)
    if done.returncode != 0:
        raise WheelsUnavailable(f"pip could not fetch the packages that Lambda gets: {done.stderr.strip()[-2000:]}")
