"""`chalice package`, run on a clean copy of what Lambda gets: nothing that lies about in a checkout gets in."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from infra.package.paths import CACHE, ROOT

TEMPLATE: Final = ROOT / "infra" / "template.json"
CHALICE_STAGE: Final = "production"
"""The one stage of `.chalice/config.json`: what differs between deployments are parameters of the stack."""
PACKAGE_SECONDS: Final = 600
REQUIREMENTS: Final = "requirements.txt"
_SOURCES: Final = ("app.py", REQUIREMENTS, "chalicelib", ".chalice/config.json")


class ChaliceFailed(Exception):
    """`chalice package` gave up; the message is its own."""


@dataclass(frozen=True, slots=True)
class ChaliceOutput:
    """What `chalice package` wrote: the zip with everything in it, and the merged SAM template."""

    zip: Path
    template: Path


def sources(root: Path = ROOT) -> list[Path]:
    """Every file of ours that Chalice reads, sorted."""
    found = [path for name in _SOURCES for path in _files(root / name)]
    return sorted([*found, *(root / ".chalice").glob("policy-*.json"), TEMPLATE])


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    return [each for each in path.rglob("*") if each.is_file() and "__pycache__" not in each.parts]


def run_chalice(scratch: Path, wheels: Path | None = None) -> ChaliceOutput:
    """Package into `scratch` with the wheels that were fetched, or without any; no network. Raises ChaliceFailed."""
    project, out = scratch / "project", scratch / "out"
    for path in sources():
        target = project / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    if wheels is None:
        (project / REQUIREMENTS).write_text("", encoding="utf-8")
    command = [sys.executable, "-c", "from chalice.cli import main; raise SystemExit(main())"]
    command += ["--project-dir", str(project), "package", "--stage", CHALICE_STAGE]
    command += ["--merge-template", str(project / TEMPLATE.relative_to(ROOT)), str(out)]
    done = subprocess.run(
        command, cwd=project, env=_environment(wheels), capture_output=True, text=True, timeout=PACKAGE_SECONDS,
        check=False,
    )  # fmt: skip
    said = f"{done.stdout}{done.stderr}".strip()
    # Chalice leaves out what it could not fetch, says so, and ends as if all were well.
    if done.returncode != 0 or "Could not install dependencies" in said:
        raise ChaliceFailed(f"chalice package: {said[-2000:]}")
    return ChaliceOutput(out / "deployment.zip", out / "sam.json")


def _environment(wheels: Path | None) -> dict[str, str]:
    dropped = ("PIP_", "AWS_", "CHALICE_", "PYTHONDONTWRITEBYTECODE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    return kept | {
        # Chalice asks for a region, which only the names of services depend on; nothing is called.
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(wheels or os.devnull),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        # What Python compiles lands beside nothing that is packaged, and is there for the next run.
        "PYTHONPYCACHEPREFIX": str(CACHE / "bytecode"),
    }
