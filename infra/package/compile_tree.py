"""`python infra/package/compile_tree.py FOLDER`: compile every module of an unpacked zip, once and for all.

Lambda's code folder is read-only, so what comes uncompiled is compiled again at each cold start. An unchecked hash
(PEP 552) makes Python take the compiled module without a look at its source, whatever the times of the files.

Runs as a program of its own with PYTHONHASHSEED=0: the order of sets and what is interned then depend on nothing but
the sources, so the same sources give the same bytes.
"""

from __future__ import annotations

import ast
import importlib.util
import marshal
import sys
from pathlib import Path
from typing import Final

UNCHECKED_HASH: Final = 0b01
"""The flags of PEP 552: named by a hash of its source, which nobody compares."""


def is_ours(inside: str) -> bool:
    """Whether it is Till's: those keep their sources, for whoever looks into the console."""
    return inside == "app.py" or inside.startswith("chalicelib/")


def compile_tree(tree: Path) -> None:
    """Compile each module. Others' sources go: a compiled module stands where its source stood."""
    for path in sorted(tree.rglob("*.py")):
        inside = path.relative_to(tree).as_posix()
        source = path.read_bytes()
        parsed = ast.parse(source, inside)
        if not is_ours(inside):
            _drop_docstrings(parsed)
        code = compile(parsed, inside, "exec", dont_inherit=True, optimize=0)
        head = importlib.util.MAGIC_NUMBER + UNCHECKED_HASH.to_bytes(4, "little") + importlib.util.source_hash(source)
        if is_ours(inside):
            target = Path(importlib.util.cache_from_source(str(path), optimization=""))
            target.parent.mkdir(exist_ok=True)
        else:
            target = path.with_suffix(".pyc")
            path.unlink()
        target.write_bytes(head + marshal.dumps(code))


def _drop_docstrings(parsed: ast.Module) -> None:
    for node in ast.walk(parsed):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.body:
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and type(first.value.value) is str:
                # A body may hold nothing else, and what imports the future comes first of all.
                node.body[:1] = [] if len(node.body) > 1 else [ast.copy_location(ast.Pass(), first)]


if __name__ == "__main__":
    compile_tree(Path(sys.argv[1]))
