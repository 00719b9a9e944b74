"""I11: invoice numbers of a merchant are 1, 2, 3 and so on up to the last one taken, each once."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Final

from chalicelib.domain.documents.invoices import Invoice
from chalicelib.domain.documents.merchants import INVOICE_SERIES, Merchant, NumberSeries, series_id
from chalicelib.domain.machines import InvoiceStatus
from chalicelib.services.checking.books import Books
from chalicelib.services.checking.report import Finding, Violation

_COUNTER: Final = re.compile(r"(?P<prefix>[A-Z0-9-]*?)(?P<counter>[0-9]{4,})", re.ASCII)


def numbers_have_no_gap(books: Books) -> Iterator[Finding]:
    """Every issued invoice has a number, no draft has one, and a merchant's numbers are the series' without a gap."""
    taken: dict[str, list[int]] = defaultdict(list)
    for invoice in books.all(Invoice):
        issued = invoice.status is not InvoiceStatus.DRAFT
        if issued != (invoice.number is not None):
            yield Violation("I11", invoice.id, f"it is {invoice.status}, its number is {invoice.number}")
        elif invoice.number is not None:
            counter = _counter(invoice.number, books.find(Merchant, invoice.merchant_id))
            if counter is None:
                yield Violation("I11", invoice.id, f"{invoice.number} is no number of a series")
            else:
                taken[invoice.merchant_id].append(counter)
    for merchant in books.all(Merchant):
        series = books.find(NumberSeries, series_id(merchant.id, INVOICE_SERIES))
        if series is None:
            yield Violation("I11", merchant.id, "it has no series of invoice numbers")
            continue
        numbers = Counter(taken[merchant.id])
        twice = sorted(number for number, count in numbers.items() if count > 1)
        missing = sorted(set(range(1, series.last + 1)) - numbers.keys())
        beyond = sorted(number for number in numbers if number > series.last)
        for what, wrong in (("taken twice", twice), ("missing", missing), ("beyond the last", beyond)):
            if wrong:
                yield Violation("I11", series.id, f"of 1 to {series.last}, {what}: {wrong[:10]}")


def _counter(number: str, merchant: Merchant | None) -> int | None:
    # The prefix that is in use now settles where a prefix ends that itself ends in digits; older ones are guessed.
    if merchant is not None and number.startswith(merchant.invoice_prefix):
        digits = number.removeprefix(merchant.invoice_prefix)
        if digits.isascii() and digits.isdecimal() and len(digits) >= 4:
            return int(digits)
    found = _COUNTER.fullmatch(number)
    return None if found is None else int(found["counter"])
