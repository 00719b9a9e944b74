"""The refunds that a buyer's page tells of: those that went through."""

from __future__ import annotations

from chalicelib.domain.documents.invoices import Invoice
from chalicelib.domain.documents.refunds import Refund
from chalicelib.domain.machines import RefundStatus
from chalicelib.services.ports import Index, Ports

MOST = 100


def refunds_shown(ports: Ports, invoice: Invoice) -> list[Refund]:
    """An invoice's refunds, oldest first. The database is not asked where all that arrived is still there."""
    if invoice.received == invoice.paid:
        return []
    page = ports.records.newest(Refund, Index.BY_INVOICE, invoice.id, limit=MOST)
    return [refund for refund in reversed(page.records) if refund.status is RefundStatus.SUCCEEDED]
