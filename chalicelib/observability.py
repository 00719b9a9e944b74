"""Log lines and metrics as JSON on standard output; what names a secret or a person never gets into either.

The standard library does it: logging's own classes cost a Lambda no import that it does not pay anyway.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import traceback
from datetime import UTC, date, datetime
from enum import Enum
from functools import lru_cache
from types import TracebackType
from typing import Any, Final

METRICS_NAMESPACE: Final = "Till"
WITHHELD: Final = "[withheld]"
_LONGEST_TEXT: Final = 8_192

_SENSITIVE_WORDS: Final = frozenset({
    "token", "tokens", "secret", "secrets", "authorization", "auth", "password", "passwords", "cookie", "cookies",
    "credential", "credentials", "signature", "email", "emails", "address", "addresses", "phone", "card",
    "cards", "pan", "cvc", "cvv", "body", "payload", "html", "text",
})  # fmt: skip
_SENSITIVE_NAMES: Final = frozenset({"api_key", "secret_key", "publishable_key", "client_secret", "page_url"})
_WORD_BORDER: Final = re.compile(r"[_\-. ]+|(?<=[a-z0-9])(?=[A-Z])")

_SENSITIVE_TEXT: Final = re.compile(
    r"""
      \b(?:sk|rk|pk)_(?:live|test)_\w+            # Stripe's keys
    | \bwhsec_[\w+/=]+                            # secrets of webhooks
    | \btill_[A-Za-z0-9_\-]{16,}                  # our own keys
    | \b(?:pi|seti)_[A-Za-z0-9]{1,64}_secret_\w+               # what lets a browser act on an intent
    | (?i:\b(?:bearer|basic)\s+[\w+/=.~\-]+)
    | [\w.+%\-]{1,64}@[\w\-]+(?:\.[\w\-]+)+            # addresses
    | \b[0-7][0-9A-HJKMNP-TV-Z]{25}[\w\-]{22}\b   # a page's token: a ULID body and its secret
    | (?<![\w.])(?:\d[ -]?){12,18}\d(?![\w.])     # what may be a card number
    """,
    re.VERBOSE,
)
_OWN_ATTRIBUTES: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_ERROR: Final = "error"


_TO_JSON: Final = json.JSONEncoder(ensure_ascii=False, default=repr).encode


class _JsonFormatter(logging.Formatter):
    """One JSON object a line; an exception becomes its type, its scrubbed message and where it came from."""

    def format(self, record: logging.LogRecord) -> str:
        extra = {name: value for name, value in vars(record).items() if name not in _OWN_ATTRIBUTES}
        metrics = extra.pop("_metrics", None)
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": scrub(record.getMessage()),
            **{name: withhold(name, value) for name, value in extra.items()},
        }
        if record.exc_info and record.exc_info[1] is not None:
            line[_ERROR] = _describe(record.exc_info[1], record.exc_info[2])
        if metrics is not None:
            line["_aws"] = {"Timestamp": int(record.created * 1000), "CloudWatchMetrics": [metrics]}
        return _TO_JSON(line)


class _StandardOutput(logging.Handler):
    """Writes to whatever standard output is when the line is written."""

    def emit(self, record: logging.LogRecord) -> None:
        sys.stdout.write(self.format(record) + "\n")
        sys.stdout.flush()


def set_up_logging() -> None:
    """Let every logger write JSON lines, once: doing it again changes nothing.

    Lambda's own handler is taken off, since with two handlers each line would be written twice.
    """
    root = logging.getLogger()
    for handler in [h for h in root.handlers if type(h).__module__.startswith("awslambdaric")]:
        root.removeHandler(handler)
    if not any(isinstance(handler, _StandardOutput) for handler in root.handlers):
        output = _StandardOutput()
        output.setFormatter(_JsonFormatter())
        root.addHandler(output)
    logging.getLogger("till").setLevel(logging.INFO)


def get_logger(name: str) -> logging.Logger:
    """A logger called `till.…`; fields go in `extra`. The jobs' Lambdas never import app.py, so this sets up too."""
    set_up_logging()
    return logging.getLogger(name)


def emit_metric(name: str, value: float, unit: str = "Count", **dimensions: str) -> None:
    """Write one value of a CloudWatch metric as a log line in the embedded metric format.

    `unit` is one of CloudWatch's (Count, Milliseconds, …); dimensions are few and of few values, since each
    combination is a metric that is paid for. Format: AWS, "CloudWatch embedded metric format: Specification".
    """
    metrics = {
        "Namespace": METRICS_NAMESPACE,
        "Dimensions": [sorted(dimensions)],
        "Metrics": [{"Name": name, "Unit": unit}],
    }
    get_logger("till.metrics").info("metric", extra={"_metrics": metrics, **dimensions, name: value})


def withhold(name: str, value: Any) -> Any:
    """The value as it may be logged under a name: withheld where the name says what it is, scrubbed elsewhere."""
    if value is None:
        return None
    if _is_sensitive(name):
        return WITHHELD
    if isinstance(value, Enum):
        return withhold(name, value.value)
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, dict):
        return {str(key): withhold(str(key), inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [withhold(name, inner) for inner in value]
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, (bool, int, float)):
        return value
    return scrub(repr(value))


# A memo of a pure function: the same few names stand in every line.
@lru_cache(maxsize=512)
def _is_sensitive(name: str) -> bool:
    words = {word.lower() for word in _WORD_BORDER.split(name) if word}
    return bool(words & _SENSITIVE_WORDS) or name.lower() in _SENSITIVE_NAMES


def scrub(text: str) -> str:
    """The text, cut where it is long, with keys, tokens, addresses and what may be card numbers taken out."""
    return _SENSITIVE_TEXT.sub(WITHHELD, text[:_LONGEST_TEXT])


def _describe(error: BaseException, where: TracebackType | None) -> dict[str, Any]:
    frames = traceback.extract_tb(where)
    described: dict[str, Any] = {
        "type": f"{type(error).__module__}.{type(error).__qualname__}",
        "message": scrub(str(error)),
        "at": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames],
    }
    if error.__cause__ is not None:
        described["cause"] = _describe(error.__cause__, error.__cause__.__traceback__)
    return described
