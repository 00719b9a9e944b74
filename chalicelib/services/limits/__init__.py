"""Limits on trying to pay: by address and hour, and a breaker that pauses a link whose payments nearly all fail."""
