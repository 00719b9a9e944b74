"""The house rules that a reviewer would otherwise have to remember, read from the syntax trees of the code itself."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[1]
STDLIB: Final = sys.stdlib_module_names
OURS: Final = ("chalicelib", "infra", "tests", "app")


@dataclass(frozen=True)
class Layer:
    """What one layer may import: prefixes of our own modules, and top-level names of other people's."""

    ours: tuple[str, ...]
    theirs: frozenset[str] = frozenset()


def theirs(*names: str) -> frozenset[str]:
    return frozenset(names)


LAYERS: Final = {
    "chalicelib/domain": Layer(("chalicelib.domain",)),
    "chalicelib/services": Layer(("chalicelib.services", "chalicelib.domain")),
    "chalicelib/storage": Layer(
        (
            "chalicelib.storage",
            "chalicelib.domain",
            "chalicelib.services.ports",
            "chalicelib.crossing",
            "chalicelib.aws",
            # What is signed is signed at real time.
            "chalicelib.gateways.clock",
        ),
        # PynamoDB is a layer over botocore, and lets its exceptions and sessions through.
        theirs("pynamodb", "botocore"),
    ),
    # Beneath the edges: requests on the wire, for whoever needs no more of AWS than that.
    "chalicelib/aws": Layer(("chalicelib.aws", "chalicelib.services.ports")),
    "chalicelib/gateways": Layer(
        (
            "chalicelib.gateways",
            "chalicelib.domain",
            "chalicelib.services.ports",
            "chalicelib.settings",
            "chalicelib.crossing",
            "chalicelib.aws",
        ),
        # requests is what stripe's own client sends with.
        theirs("stripe", "botocore", "requests"),
    ),
    "chalicelib/web": Layer(
        ("chalicelib.web", "chalicelib.domain"),
        theirs("jinja2", "markupsafe", "babel"),
    ),
    # The one hook through which every client of AWS sends: the storage's and the gateways' alike.
    "chalicelib/crossing.py": Layer(("chalicelib.services.ports",)),
    "chalicelib/settings.py": Layer(()),
    "chalicelib/observability.py": Layer(()),
    # The edges too, but inside functions: a test of its own looks at that.
    "chalicelib/wiring.py": Layer(
        (
            "chalicelib.settings",
            "chalicelib.observability",
            "chalicelib.domain",
            "chalicelib.services",
            "chalicelib.storage",
            "chalicelib.gateways",
            "chalicelib.aws",
            "chalicelib.web",
        )
    ),
    "chalicelib/handlers": Layer(
        (
            "chalicelib.handlers",
            "chalicelib.services",
            "chalicelib.domain",
            "chalicelib.web",
            "chalicelib.wiring",
            "chalicelib.observability",
            "chalicelib.settings",
        ),
        # pydantic reads TypedDicts of typing_extensions only, before Python 3.12.
        theirs("chalice", "pydantic", "pydantic_core", "typing_extensions"),
    ),
    "app.py": Layer(("chalicelib.handlers", "chalicelib.observability"), theirs("chalice")),
    # The machine seeds through the app's use cases and reads its timers, so it sees the core as well as the doors.
    "infra/local": Layer(
        (
            "infra.local",
            "chalicelib.wiring",
            "chalicelib.settings",
            "chalicelib.handlers",
            "chalicelib.services",
            "chalicelib.domain",
        ),
        theirs("boto3", "botocore", "chalice", "moto", "werkzeug", "stripe"),
    ),
    # What packages looks at the repository from outside; what it packages it never imports.
    "infra/package": Layer(("infra.package",)),
    # Deploying makes the first merchant by the app's own use case, on the stack's own tables.
    "infra/deploy": Layer(
        (
            "infra.deploy",
            "infra.package",
            "chalicelib.wiring",
            "chalicelib.settings",
            "chalicelib.services",
            "chalicelib.domain",
        ),
        theirs("boto3", "botocore"),
    ),
    "infra/local/stripe_sandbox": Layer(
        ("infra.local.stripe_sandbox",),
        # The stripe package writes its parameter types with typing_extensions.
        theirs("stripe", "typing_extensions"),
    ),
}

EDGES: Final = ("chalicelib.storage", "chalicelib.gateways", "chalicelib.aws", "chalicelib.web")


@dataclass(frozen=True)
class Import:
    """One imported name: the module it is in, where, and whether it is imported whenever the file is."""

    module: str
    name: str | None
    line: int
    at_import_time: bool


def files_of(layer: str) -> list[Path]:
    """The files whose closest layer this is."""
    start = ROOT / layer
    found = [start] if start.is_file() else sorted(start.rglob("*.py"))
    deeper = [ROOT / other for other in LAYERS if other != layer and other.startswith(f"{layer}/")]
    return [path for path in found if not any(path == other or other in path.parents for other in deeper)]


def code_files() -> list[Path]:
    return sorted([ROOT / "app.py", *(ROOT / "chalicelib").rglob("*.py"), *(ROOT / "infra").rglob("*.py")])


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imports_of(path: Path) -> Iterator[Import]:
    yield from _walk(tree_of(path), path, at_import_time=True)


def _walk(node: ast.AST, path: Path, *, at_import_time: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            for alias in child.names:
                yield Import(alias.name, None, child.lineno, at_import_time)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, f"{path}:{child.lineno} imports relatively"
            for alias in child.names:
                yield Import(child.module or "", alias.name, child.lineno, at_import_time)
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from _walk(child, path, at_import_time=False)
        elif isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            for statement in child.body:
                yield from _walk(ast.Module([statement], []), path, at_import_time=False)
            for statement in child.orelse:
                yield from _walk(ast.Module([statement], []), path, at_import_time=at_import_time)
        else:
            yield from _walk(child, path, at_import_time=at_import_time)


def is_within(module: str, prefix: str) -> bool:
    return module == prefix or module.startswith(f"{prefix}.")


def is_allowed(imported: Import, layer: Layer) -> bool:
    top = imported.module.partition(".")[0]
    if top in OURS:
        # `from chalicelib import wiring` names a module in its second half.
        whole = f"{imported.module}.{imported.name}" if imported.name else imported.module
        return any(is_within(imported.module, prefix) or is_within(whole, prefix) for prefix in layer.ours)
    return top in STDLIB or top in layer.theirs


def spot(path: Path, line: int) -> str:
    return f"{path.relative_to(ROOT)}:{line}"


@pytest.mark.parametrize("layer", LAYERS)
def test_each_layer_imports_only_what_its_rule_allows(layer: str) -> None:
    files = files_of(layer)
    assert files, f"{layer} has no files: is the rule about something that moved?"
    wrong = [
        f"{spot(path, found.line)} imports {found.module}{'.' + found.name if found.name else ''}"
        for path in files
        for found in imports_of(path)
        if not is_allowed(found, LAYERS[layer])
    ]
    assert wrong == []


def test_every_file_belongs_to_a_layer() -> None:
    ruled = {path for layer in LAYERS for path in files_of(layer)}
    strays = [path.relative_to(ROOT) for path in code_files() if path not in ruled]
    # Only the packages' own front pages, which hold a sentence each.
    assert [str(path) for path in strays if path.name != "__init__.py"] == []
    for path in strays:
        assert list(imports_of(ROOT / path)) == []


def test_the_composition_root_imports_the_edges_inside_functions_only() -> None:
    wiring = ROOT / "chalicelib/wiring.py"
    eager = [
        f"{spot(wiring, found.line)} {found.module}"
        for found in imports_of(wiring)
        if found.at_import_time and any(is_within(found.module, edge) for edge in EDGES)
    ]
    assert eager == []
    assert any(is_within(found.module, "chalicelib.storage") for found in imports_of(wiring))


# Words of what stands in for AWS and Stripe: production code that knows one of them can behave differently on it.
_LOCAL_WORDS: Final = re.compile(r"sandbox|\bmoto\b|_moto|moto_|fake|localstack|dynamodb.?local", re.IGNORECASE)


def test_chalicelib_has_no_word_of_what_stands_in_for_the_world() -> None:
    found = [
        f"{spot(path, number)} {line.strip()}"
        for path in sorted((ROOT / "chalicelib").rglob("*"))
        if path.suffix in {".py", ".html", ".js", ".css", ".txt", ".json"}
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if _LOCAL_WORDS.search(line)
    ]
    assert found == []


# (module, name) pairs through which real time comes in.
_REAL_TIME: Final = {
    ("time", "time"),
    ("time", "time_ns"),
    ("time", "localtime"),
    ("time", "gmtime"),
    ("datetime", "now"),
    ("datetime", "utcnow"),
    ("datetime", "today"),
    ("date", "today"),
}


def test_only_one_file_of_chalicelib_reads_the_real_time() -> None:
    readers: dict[str, list[int]] = {}
    for path in sorted((ROOT / "chalicelib").rglob("*.py")):
        for node in ast.walk(tree_of(path)):
            taken = isinstance(node, ast.ImportFrom) and node.module == "time" and {a.name for a in node.names}
            named = isinstance(node, ast.Attribute) and (ast.unparse(node.value).rpartition(".")[2], node.attr)
            if (taken and taken & {"time", "time_ns", "localtime", "gmtime"}) or named in _REAL_TIME:
                readers.setdefault(str(path.relative_to(ROOT)), []).append(node.lineno)
    assert set(readers) == {"chalicelib/gateways/clock.py"}, readers


def files_with(wanted: Callable[[ast.AST], bool]) -> set[str]:
    """The files of production code with a node that is wanted."""
    return {
        str(path.relative_to(ROOT))
        for path in [ROOT / "app.py", *sorted((ROOT / "chalicelib").rglob("*.py"))]
        if any(wanted(node) for node in ast.walk(tree_of(path)))
    }


def test_only_the_settings_read_the_environment() -> None:
    def reads(node: ast.AST) -> bool:
        if isinstance(node, ast.ImportFrom):
            return node.module == "os" and bool(
                {alias.name for alias in node.names} & {"environ", "environb", "getenv"}
            )
        return isinstance(node, ast.Attribute) and ast.unparse(node) in {"os.environ", "os.environb", "os.getenv"}

    assert files_with(reads) == {"chalicelib/settings.py"}


def test_only_the_boundary_catches_everything() -> None:
    def catches_all(node: ast.AST) -> bool:
        if not isinstance(node, ast.ExceptHandler):
            return False
        caught = {name.id for name in ast.walk(node.type) if isinstance(name, ast.Name)} if node.type else {"Exception"}
        return bool(caught & {"Exception", "BaseException"})

    assert files_with(catches_all) == {"chalicelib/handlers/boundary.py"}


def test_app_py_only_puts_together() -> None:
    lines = (ROOT / "app.py").read_text(encoding="utf-8").splitlines()
    assert len(lines) < 30
    assert [node for node in ast.walk(tree_of(ROOT / "app.py")) if isinstance(node, ast.FunctionDef)] == []


def test_no_module_is_longer_than_four_hundred_lines() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in code_files()
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > 400
    }
    assert long == {}


def loaded_by(statement: str, *names: str) -> set[str]:
    """Which of these top-level modules a fresh interpreter has loaded after one statement."""
    look = f"import sys; {statement}; print(*({names!r} & sys.modules.keys()))".replace(repr(names), repr(set(names)))
    done = subprocess.run([sys.executable, "-c", look], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_the_app_loads_nothing_heavy() -> None:
    heavy = (
        "stripe",
        "pydantic",
        "typing_extensions",
        "jinja2",
        "babel",
        "pynamodb",
        "boto3",
        "botocore",
        "urllib3",
        "requests",
        "moto",
        "infra",
    )
    assert loaded_by("import app", *heavy, "chalice") == {"chalice"}


def test_the_jobs_run_without_the_app() -> None:
    assert loaded_by("import chalicelib.handlers.jobs", "app", "chalicelib") == {"chalicelib"}
