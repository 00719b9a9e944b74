"""botocore's descriptions of AWS, cut to what is called: they are most of its size and of a client's first second.

botocore reads a service's whole description, and the endpoints of every service there is, whenever it makes a client.
What is left out here fails loudly: a client knows no other operation (`AttributeError`, or `KeyError` by name).
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

OPERATIONS: Final[dict[str, frozenset[str]]] = {
    "dynamodb": frozenset({
        "BatchGetItem", "DeleteItem", "GetItem", "PutItem", "Query", "Scan", "TransactWriteItems", "UpdateItem",
    }),
    "sqs": frozenset({"SendMessageBatch"}),
    "sesv2": frozenset({"SendEmail"}),
    "ssm": frozenset({"GetParameters"}),
}  # fmt: skip
"""Each service that Lambda calls, by botocore's name, and the operations that are left of it."""
_ENDPOINTS: Final = frozenset({"dynamodb", "sqs", "email", "ssm"})
"""The same services as `endpoints.json` names them."""
_WHOLE: Final = frozenset({"_retry.json", "partitions.json", "sdk-default-configuration.json"})


def cut_models(data: Path) -> None:
    """Cut botocore's `data` folder. Raises KeyError where an operation is not described, so a typo does not pass."""
    for path in sorted(data.iterdir()):
        if path.is_dir():
            if path.name in OPERATIONS:
                _cut_service(path, OPERATIONS[path.name])
            else:
                for each in sorted(path.rglob("*"), reverse=True):
                    each.rmdir() if each.is_dir() else each.unlink()
                path.rmdir()
        elif path.name == "endpoints.json":
            _write(path, _cut_endpoints(json.loads(path.read_bytes())))
        elif path.name not in _WHOLE:
            path.unlink()


def _cut_service(folder: Path, operations: frozenset[str]) -> None:
    *old, newest = sorted(each for each in folder.iterdir() if each.is_dir())
    for version in old:
        for each in version.iterdir():
            each.unlink()
        version.rmdir()
    for path in sorted(newest.iterdir()):
        if not path.name.startswith(("service-2.json", "endpoint-rule-set-1.json")):
            path.unlink()
            continue
        content = json.loads(gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes())
        if path.name.startswith("service-2.json"):
            content = _cut_operations(content, operations)
        path.unlink()
        # The zip packs it; packed twice it would be bigger, and slower to read.
        _write(newest / path.name.removesuffix(".gz"), content)


def _cut_operations(model: dict[str, Any], operations: frozenset[str]) -> dict[str, Any]:
    kept = {name: model["operations"][name] for name in sorted(operations)}
    if any("endpointdiscovery" in operation for operation in kept.values()):
        # botocore looks up the operation that finds endpoints while it makes the client.
        finders = {n: o for n, o in model["operations"].items() if o.get("endpointoperation")}
        kept |= finders
    shapes: dict[str, Any] = {}
    waiting = list(_shape_names(kept))
    while waiting:
        name = waiting.pop()
        if name not in shapes:
            shapes[name] = model["shapes"][name]
            waiting.extend(_shape_names(shapes[name]))
    rest = {key: value for key, value in model.items() if key not in {"operations", "shapes", "documentation"}}
    return {**rest, "operations": _undocumented(kept), "shapes": _undocumented(dict(sorted(shapes.items())))}


def _shape_names(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("shape"), str):
            yield node["shape"]
        for value in node.values():
            yield from _shape_names(value)
    elif isinstance(node, list):
        for value in node:
            yield from _shape_names(value)


def _undocumented(node: Any) -> Any:
    if isinstance(node, dict):
        # A member may itself be called so; then it is described by an object.
        return {
            key: _undocumented(value)
            for key, value in node.items()
            if key != "documentation" or not isinstance(value, str)
        }
    return [_undocumented(value) for value in node] if isinstance(node, list) else node


def _cut_endpoints(endpoints: dict[str, Any]) -> dict[str, Any]:
    def cut(partition: dict[str, Any]) -> dict[str, Any]:
        services = {name: value for name, value in partition["services"].items() if name in _ENDPOINTS}
        return {**partition, "services": services}

    return {**endpoints, "partitions": [cut(partition) for partition in endpoints["partitions"]]}


def _write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, separators=(",", ":"), ensure_ascii=False), encoding="utf-8")
