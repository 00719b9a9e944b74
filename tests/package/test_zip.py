"""What Lambda gets: everything it needs, compiled, and little else."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import jinja2

from infra.package import service_models
from infra.package.archive import pack
from infra.package.build import Package, build, compile_in_a_process_of_its_own
from infra.package.paths import CACHE, ROOT

FIRST_MUST = 8_000_000
"""Bytes; the zip of an app that was packaged without a thought had 20 million."""

# Imported on other systems alone, or by somebody who has installed more.
NOT_HERE = re.compile(
    r"urllib3\.contrib\.(pyopenssl|socks)|urllib3\.http2\.connection|botocore\.crt\.auth|dateutil\.tz\.win"
    r"|dateutil\.tzwin|dateutil\.zoneinfo\.rebuild|botocore\.docs\.translator|babel\.localtime\._win32|requests\.packages|pydantic\.v1"
    r"|stripe\._(anyio|httpx|tornado|pycurl).*|.*\.__main__"
)


def modules_of(tree: Path) -> dict[str, Path]:
    """Each module by its name, with the compiled file that Python would take for it."""
    found = {}
    for path in sorted(tree.rglob("*.pyc")):
        inside = path.relative_to(tree)
        if inside.parent.name == "__pycache__":
            inside = inside.parent.parent / f"{inside.name.partition('.')[0]}.pyc"
        parts = inside.with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def test_the_zip_is_small(package: Package) -> None:
    assert package.zip.stat().st_size <= FIRST_MUST


def test_every_module_is_compiled_under_an_unchecked_hash(unpacked: Path) -> None:
    modules = modules_of(unpacked)
    assert len(modules) > 600
    heads = {name: path.read_bytes()[:16] for name, path in modules.items()}
    assert {head[:4] for head in heads.values()} == {importlib.util.MAGIC_NUMBER}
    assert {head[4:8] for head in heads.values()} == {b"\x01\0\0\0"}
    sources = sorted(unpacked.rglob("*.py"))
    uncompiled = [path for path in sources if not Path(importlib.util.cache_from_source(str(path))).exists()]
    assert uncompiled == []
    hashes = {
        path: importlib.util.source_hash(path.read_bytes())
        == Path(importlib.util.cache_from_source(str(path))).read_bytes()[8:16]
        for path in sources
    }
    assert all(hashes.values())
    # Ours keep their sources for who looks into the console; nobody else's are there.
    assert {path.relative_to(unpacked).parts[0] for path in sources} == {"app.py", "chalicelib"}


def test_every_module_can_be_imported_from_the_zip_alone(unpacked: Path) -> None:
    names = [name for name in modules_of(unpacked) if not NOT_HERE.fullmatch(name)]
    look = """
import importlib, json, sys, warnings
warnings.simplefilter("ignore")
failed = {}
for name in json.load(sys.stdin):
    try:
        importlib.import_module(name)
    except Exception as error:
        failed[name] = f"{type(error).__name__}: {error}"
outside = [m.__file__ for m in list(sys.modules.values()) if "site-packages" in (getattr(m, "__file__", None) or "")]
print(json.dumps([failed, outside]))
"""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(unpacked)!r})\n{look}"],
        input=json.dumps(names), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == [{}, []]


def test_nothing_of_this_machine_and_no_ballast_is_in_it(package: Package) -> None:
    with zipfile.ZipFile(package.zip) as packed:
        names = packed.namelist()
        assert {entry.date_time for entry in packed.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert names == sorted(names)
    ballast = re.compile(
        r"(^|/)(tests?|infra|docs/source|examples|pip|setuptools|wheel|moto|boto3|cli)/|dist-info|\.pyi$"
    )
    assert [name for name in names if ballast.search(name)] == []


def test_botocore_knows_every_service_that_the_code_makes_a_client_of() -> None:
    edges = ast.parse((ROOT / "chalicelib/gateways/aws.py").read_text(encoding="utf-8"))
    (named,) = [
        node.value
        for node in ast.walk(edges)
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "_SERVICE_OF" and node.value is not None
    ]
    # PynamoDB makes the database's client itself.
    assert {*ast.literal_eval(named), "dynamodb"} <= set(service_models.OPERATIONS)


def test_the_same_sources_give_the_same_bytes(tmp_path: Path) -> None:
    made = []
    # Folders of other names and a process of its own each: neither may show.
    for name in ("one", "another"):
        tree = tmp_path / name / "tree"
        for folder in ("chalicelib/domain", "chalicelib/web"):
            shutil.copytree(ROOT / folder, tree / folder, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copytree(Path(jinja2.__file__).parent, tree / "jinja2", ignore=shutil.ignore_patterns("__pycache__"))
        compile_in_a_process_of_its_own(tree)
        pack(tree, tmp_path / name / "packed.zip")
        made.append((tmp_path / name / "packed.zip").read_bytes())
    assert made[0] == made[1]


def test_an_unchanged_package_is_not_made_again(package: Package, tmp_path: Path) -> None:
    def kept() -> dict[Path, int]:
        return {each: each.stat().st_ino for each in (CACHE / "builds").glob("*/*")}

    before = kept()
    assert build(tmp_path).zip.read_bytes() == package.zip.read_bytes()
    assert kept() == before
