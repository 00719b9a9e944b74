"""One checker for what must always hold: it recomputes from what is stored and asks Stripe, and believes neither."""

from __future__ import annotations

from chalicelib.services.checking.check import check_invariants, check_lasting
from chalicelib.services.checking.report import Report, Undone, Violation

__all__ = ["Report", "Undone", "Violation", "check_invariants", "check_lasting"]
