"""`python -m infra.package.build [FOLDER]`: the zip and the template, made once for the same sources."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from infra.package import compile_tree
from infra.package.archive import pack, unpack
from infra.package.chalice_run import run_chalice, sources
from infra.package.paths import CACHE, OUT, ROOT, RUNTIME
from infra.package.service_models import cut_models
from infra.package.template import finish
from infra.package.trimming import trim
from infra.package.wheels import ensure_wheels

ZIP_NAME: Final = "deployment.zip"
TEMPLATE_NAME: Final = "template.json"
KEPT_BUILDS: Final = 5
"""Builds that stay in the cache; each is a few megabytes."""


@dataclass(frozen=True, slots=True)
class Package:
    """What is deployed: the one zip of all Lambdas, and the template that names it as `./deployment.zip`."""

    zip: Path
    template: Path


def build_zip(out: Path) -> Path:
    """The zip, in the folder `out`. Raises WheelsUnavailable, ChaliceFailed."""
    return build(out).zip


def build(out: Path = OUT) -> Package:
    """Zip and template in the folder `out`; made anew only where a source, a pin or this code has changed.

    Raises WheelsUnavailable, ChaliceFailed.
    """
    made = _made(CACHE / "builds")
    out.mkdir(parents=True, exist_ok=True)
    package = Package(out / ZIP_NAME, out / TEMPLATE_NAME)
    shutil.copyfile(made.zip, package.zip)
    shutil.copyfile(made.template, package.template)
    return package


def _made(cache: Path) -> Package:
    home = cache / _fingerprint()
    package = Package(home / ZIP_NAME, home / TEMPLATE_NAME)
    cache.mkdir(parents=True, exist_ok=True)
    with _alone(cache / "lock"):
        if not home.exists():
            with tempfile.TemporaryDirectory(dir=cache) as scratch:
                _make(Path(scratch)).rename(home)
            _forget_old(cache)
        os.utime(home)
    return package


def _make(scratch: Path) -> Path:
    given = run_chalice(ensure_wheels(), scratch)
    tree, home = scratch / "tree", scratch / "home"
    home.mkdir()
    unpack(given.zip, tree)
    trim(tree)
    cut_models(tree / "botocore" / "data")
    compile_in_a_process_of_its_own(tree)
    pack(tree, home / ZIP_NAME)
    template = finish(json.loads(given.template.read_text(encoding="utf-8")))
    (home / TEMPLATE_NAME).write_text(json.dumps(template, indent=1) + "\n", encoding="utf-8")
    return home


def compile_in_a_process_of_its_own(tree: Path) -> None:
    """Compile every module of an unpacked zip; nothing that this process has loaded shows in the bytes."""
    subprocess.run(
        [sys.executable, str(Path(compile_tree.__file__)), str(tree)],
        env={**os.environ, "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"},
        check=True,
    )


def _fingerprint() -> str:
    """The same for the same sources, pins, packaging code and Python."""
    digest = hashlib.sha256(f"{RUNTIME} {sys.version}".encode())
    for path in [*sources(), *sorted((ROOT / "infra" / "package").glob("*.py"))]:
        digest.update(f"\0{path.relative_to(ROOT)}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:24]


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Nobody else on this machine builds meanwhile: two test processes want the same package."""
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def _forget_old(cache: Path) -> None:
    builds = sorted((each for each in cache.iterdir() if each.is_dir()), key=lambda each: each.stat().st_mtime)
    for old in builds[:-KEPT_BUILDS]:
        shutil.rmtree(old)


def main(arguments: list[str]) -> int:
    """Build into a folder and say how big it is; the exit code."""
    package = build(Path(arguments[0]) if arguments else OUT)
    size = package.zip.stat().st_size
    print(f"{package.zip}  {size / 1e6:.2f} MB for {RUNTIME}")
    print(f"{package.template}  to be deployed with `make deploy STAGE=…`")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
