"""How long a Lambda has before AWS ends it: work is begun only where there is time to end it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from chalice.app import BaseLambdaEvent

TO_SWEEP: Final = 15.0
"""Seconds for one page of timers to be read, and for a shard's messages to be sent."""
TO_ISSUE: Final = 20.0
"""For one transaction with all the patience that DynamoDB is given, and the timers that it drops."""
TO_CHARGE: Final = 65.0
"""For a create and a confirm that each wait for their token and have a slow Stripe, and the writes around them."""
TO_WORK: Final = 40.0
"""For one call to Stripe or SES, and the writes around it."""


def enough_for(event: BaseLambdaEvent | object, seconds: float) -> Callable[[], bool]:
    """Says, whenever it is asked, whether the Lambda that was given this event still has so many seconds.

    https://docs.aws.amazon.com/lambda/latest/dg/python-context.html. Where nobody ends the work there is always time.
    """
    remaining = getattr(getattr(event, "context", None), "get_remaining_time_in_millis", None)
    if remaining is None:
        return lambda: True
    return lambda: bool(remaining() >= seconds * 1000)
