"""The few files that pages load: each has its content's hash in its address, so that it may be kept for ever."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

_FOLDER: Final = Path(__file__).parent / "static"
_TYPES: Final = {
    "till.css": "text/css; charset=utf-8",
    "reference.css": "text/css; charset=utf-8",
    "portal.css": "text/css; charset=utf-8",
    "pay.js": "text/javascript; charset=utf-8",
    "checking.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
IMMUTABLE: Final = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class StaticFile:
    """One file as it is sent; `etag` comes with its quotes, `cache_control` suits the address it was asked by."""

    content: bytes
    content_type: str
    etag: str
    cache_control: str = IMMUTABLE


@cache
def _read(name: str) -> tuple[bytes, str]:
    content = (_FOLDER / name).read_bytes()
    return content, hashlib.sha256(content).hexdigest()[:16]


def asset_url(name: str, root: str = "") -> str:
    """`/static/till.<hash>.css` for `till.css`; KeyError for a file that is not there.

    `root` is the path under which this site stands: `/api` at API Gateway's own address, nothing at one's own domain.
    """
    if name not in _TYPES:
        raise KeyError(name)
    stem, _, suffix = name.rpartition(".")
    return f"{root}/static/{stem}.{_read(name)[1]}.{suffix}"


def static_file(name: str) -> StaticFile | None:
    """The file of an address's last part, `till.<hash>.css`; None when there is no such file.

    A wrong hash is a page of an earlier release that is still open: it gets today's file, but may not keep it.
    """
    stem, _, suffix = name.rpartition(".")
    base, _, asked = stem.rpartition(".")
    plain = f"{base}.{suffix}"
    if plain not in _TYPES:
        return None
    content, digest = _read(plain)
    return StaticFile(content, _TYPES[plain], f'"{digest}"', IMMUTABLE if asked == digest else "no-cache")
