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
from collections.abc import Callable, Iterator, Sequence
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
from infra.package.wheels import REQUIREMENTS, ensure_wheels

ZIP_NAME: Final = "deployment.zip"
TEMPLATE_NAME: Final = "template.json"
KEPT: Final = 12
"""How many of each kind stay in the cache; each is a few megabytes."""
_OWN_CODE: Final = tuple(sorted(Path(__file__).parent.glob("*.py")))


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

    Raises WheelsUnavailable, ChaliceFailed, TemplateIncomplete.
    """
    out.mkdir(parents=True, exist_ok=True)
    package = Package(out / ZIP_NAME, out / TEMPLATE_NAME)
    CACHE.mkdir(parents=True, exist_ok=True)
    with _alone(CACHE / "lock"):
        made = _made()
        shutil.copyfile(made.zip, package.zip)
        shutil.copyfile(made.template, package.template)
    return package


def _made() -> Package:
    home = _kept("builds", fingerprint([*sources(), *_OWN_CODE]), _make)
    return Package(home / ZIP_NAME, home / TEMPLATE_NAME)


def _make(scratch: Path) -> Path:
    """Ours on top of what others wrote, which takes five times as long and changes with the pins alone."""
    others = _kept("others", fingerprint([REQUIREMENTS, *_OWN_CODE]), _make_others)
    given = run_chalice(scratch)
    tree, home = scratch / "tree", scratch / "home"
    home.mkdir()
    unpack(given.zip, tree)
    compile_templates_by(others, tree)
    compile_in_a_process_of_its_own(tree)
    shutil.copytree(others, tree, dirs_exist_ok=True)
    pack(tree, home / ZIP_NAME)
    template = finish(json.loads(given.template.read_text(encoding="utf-8")))
    (home / TEMPLATE_NAME).write_text(json.dumps(template, indent=1) + "\n", encoding="utf-8")
    return home


def _make_others(scratch: Path) -> Path:
    given = run_chalice(scratch, ensure_wheels())
    tree = scratch / "tree"
    unpack(given.zip, tree)
    # Chalice's own part, and ours, come with each package.
    for ours in ("chalice", "chalicelib"):
        shutil.rmtree(tree / ours)
    (tree / "app.py").unlink()
    trim(tree)
    cut_models(tree / "botocore" / "data")
    compile_in_a_process_of_its_own(tree)
    return tree


def _kept(kind: str, name: str, make: Callable[[Path], Path]) -> Path:
    """What the cache holds under a name, made on the first call; what was not asked for lately is forgotten."""
    cache = CACHE / kind
    cache.mkdir(parents=True, exist_ok=True)
    home = cache / name
    if not home.exists():
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            make(Path(scratch)).rename(home)
    os.utime(home)
    folders = sorted((each for each in cache.iterdir() if each.is_dir()), key=lambda each: each.stat().st_mtime)
    for old in folders[:-KEPT]:
        shutil.rmtree(old)
    return home


def compile_in_a_process_of_its_own(tree: Path) -> None:
    """Compile every module of an unpacked zip; nothing that this process has loaded shows in the bytes."""
    subprocess.run(
        [sys.executable, str(Path(compile_tree.__file__)), str(tree)],
        env={**os.environ, "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"},
        check=True,
    )


def compile_templates_by(others: Path, tree: Path) -> None:
    """Have the app in a tree write its templates as modules, by the libraries that it is packaged with."""
    program = "import sys; sys.path[:0] = sys.argv[1:]; from chalicelib.web import render; render.compile_templates()"
    subprocess.run(
        [sys.executable, "-S", "-P", "-B", "-c", program, str(tree), str(others)],
        env={**os.environ, "PYTHONHASHSEED": "0"},
        check=True,
    )


def fingerprint(files: Sequence[Path]) -> str:
    """The same for the same files under the same Python."""
    digest = hashlib.sha256(f"{RUNTIME} {sys.version}".encode())
    for path in files:
        digest.update(f"\0{path.relative_to(ROOT)}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:24]


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Nobody else on this machine builds meanwhile: two test processes want the same package."""
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def main(arguments: list[str]) -> int:
    """Build into a folder and say how big it is; the exit code."""
    package = build(Path(arguments[0]) if arguments else OUT)
    size = package.zip.stat().st_size
    print(f"{package.zip}  {size / 1e6:.2f} MB for {RUNTIME}")
    print(f"{package.template}  to be deployed with `make deploy STAGE=…`")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
