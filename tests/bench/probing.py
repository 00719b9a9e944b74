"""Fresh interpreters, one after the other, that know of nothing but what a zip holds."""

from __future__ import annotations

import marshal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

PROBE = Path(__file__).resolve().parent / "probe.py"
SECONDS = 120

Event = dict[str, Any]


class AppFailed(Exception):
    """An app did not answer as it should, so what it cost means nothing."""


def probe(kind: str, tree: Path, environment: Mapping[str, str], **more: Any) -> dict[str, Any]:
    """What `probe.py` found. Raises AppFailed where it ended badly, or an answer was not 200."""
    with tempfile.TemporaryDirectory() as scratch:
        answer = Path(scratch) / "answer"
        done = subprocess.run(
            # Isolated, without site-packages, writing no compiled module: a Lambda's folder is read-only.
            [sys.executable, "-I", "-S", "-B", str(PROBE), str(answer)],
            input=marshal.dumps({"kind": kind, "tree": str(tree), **more}),
            capture_output=True,
            env=dict(environment),
            timeout=SECONDS,
            check=False,
        )
        if done.returncode != 0:
            raise AppFailed(f"{tree.name} {kind}: {done.stderr.decode()[-2000:]}")
        found: dict[str, Any] = marshal.loads(answer.read_bytes())  # noqa: S302 - from our own child
    for given in found.get("answers", ()):
        if given["statusCode"] != 200:
            raise AppFailed(f"{tree.name} {kind}: {given}\n{done.stdout.decode()[-2000:]}")
    return found


def page_event(slug: str, token: str) -> Event:
    """What API Gateway hands to Lambda for a view of a pay page."""
    return _event(
        "GET", "/pay/{slug}/{token}", {"slug": slug, "token": token}, {"Accept": "text/html", "User-Agent": "bench"}
    )


def webhook_event(body: str, signature: str) -> Event:
    """The same for a delivery of Stripe's."""
    headers = {"Content-Type": "application/json; charset=utf-8", "Stripe-Signature": signature}
    return _event("POST", "/webhooks/stripe", None, headers, body)


def message_event(body: str) -> Event:
    """What SQS hands to Lambda for one message."""
    return {"Records": [{"messageId": "1", "receiptHandle": "1", "body": body}]}


def _event(
    method: str, resource: str, parameters: dict[str, str] | None, headers: dict[str, str], body: str | None = None
) -> Event:
    return {
        "resource": resource,
        "path": resource.format(**parameters or {}),
        "httpMethod": method,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": parameters,
        "stageVariables": None,
        "requestContext": {
            "resourcePath": resource,
            "httpMethod": method,
            "path": resource.format(**parameters or {}),
            "requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
            "identity": {"sourceIp": "203.0.113.9"},
        },
        "body": body,
        "isBase64Encoded": False,
    }


def tops(modules: Sequence[str]) -> set[str]:
    """The packages that modules belong to."""
    return {name.partition(".")[0] for name in modules}
