"""The two apps as Lambda gets them: each packaged as its makers package it, and unpacked into a folder of its own."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from infra.package.build import build
from infra.package.paths import ROOT
from infra.package.wheels import ensure_wheels

BASELINE = Path(__file__).resolve().parent / "baseline"
CACHE = ROOT / ".cache" / "bench"
PACKAGE_SECONDS = 300


@dataclass(frozen=True)
class Tree:
    """The size of a zip in bytes, the folder that it was unpacked into, and the share of its modules that Python takes
    compiled, by PEP 552's hash, without a look at any source."""

    size: int
    folder: Path
    compiled: float


def till(scratch: Path) -> Tree:
    """Till, as `make package` makes it."""
    return _unpacked(build(scratch / "till-package").zip, scratch / "till")


def straightforward(scratch: Path) -> Tree:
    """The straightforward app, as `chalice package` makes it; kept for the same sources."""
    digest = hashlib.sha256(sys.version.encode())
    sources = sorted(path for path in BASELINE.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    for path in sources:
        digest.update(f"\0{path.relative_to(BASELINE)}\0".encode() + path.read_bytes())
    kept = CACHE / digest.hexdigest()[:24] / "deployment.zip"
    if not kept.exists():
        kept.parent.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as folder:
            out = Path(folder) / "out"
            _chalice_package(sources, Path(folder) / "project", out)
            out.rename(kept.parent)
    return _unpacked(kept, scratch / "straightforward")


def _chalice_package(sources: list[Path], project: Path, out: Path) -> None:
    for path in sources:
        target = project / path.relative_to(BASELINE)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    # The same wheels as Till's: its pins are among Till's, so this needs no network of its own.
    offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(ensure_wheels()), "PIP_CONFIG_FILE": os.devnull}
    command = [sys.executable, "-c", "from chalice.cli import main; raise SystemExit(main())"]
    done = subprocess.run(
        [*command, "--project-dir", str(project), "package", "--stage", "production", str(out)],
        cwd=project,
        env={**os.environ, **offline, "AWS_DEFAULT_REGION": "us-east-1", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=PACKAGE_SECONDS,
        check=False,
    )
    said = f"{done.stdout}{done.stderr}"
    if done.returncode != 0 or "Could not install dependencies" in said:
        raise RuntimeError(f"chalice package: {said[-2000:]}")


def _unpacked(archive: Path, folder: Path) -> Tree:
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(folder)
    return Tree(archive.stat().st_size, folder, _compiled(folder))


def _compiled(folder: Path) -> float:
    modules = {path.with_suffix("") for path in folder.rglob("*.py")}
    by_hash = set()
    for path in folder.rglob("*.pyc"):
        name = path.with_suffix("")
        if path.parent.name == "__pycache__":
            name = path.parent.parent / path.name.partition(".")[0]
        modules.add(name)
        head = path.read_bytes()[:8]
        if head[:4] == importlib.util.MAGIC_NUMBER and head[4] & 1:
            by_hash.add(name)
    return len(by_hash) / len(modules)
