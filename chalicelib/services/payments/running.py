"""Whether a try may be under way right now: then only the request that made it may say how it ended."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from chalicelib.domain.documents.parts import Part

REQUEST_LASTS: Final = timedelta(seconds=60)
"""A claim younger than this may belong to a request that is still talking to Stripe (API Gateway ends it at 29 s)."""


def may_be_running(part: Part, now: datetime) -> bool:
    """Whether somebody may be confirming right now, so that only they may say how it ended."""
    return part.in_doubt and part.latest is not None and now - part.latest.at < REQUEST_LASTS
