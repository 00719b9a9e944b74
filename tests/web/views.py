"""Every view, by name."""

from __future__ import annotations

from chalicelib.web.views.cancel import CancelledPage, CancelPage
from chalicelib.web.views.common import (
    Decline,
    DiscountRow,
    FeeRow,
    FieldProblem,
    LaterCharge,
    LineView,
    MerchantView,
    MethodView,
    PartyView,
    TaxRow,
    TotalsView,
)
from chalicelib.web.views.invoice import InvoicePage, InvoiceStanding, PaymentRow
from chalicelib.web.views.mail import InvoiceMail, ReceiptMail, RefundMail, RenderedMail
from chalicelib.web.views.pay import CheckoutValues, PaidBefore, PayPage, StripeView
from chalicelib.web.views.receipt import CheckingPage, ReceiptOutcome, ReceiptPage
from chalicelib.web.views.states import StateKind, StatePage

__all__ = [
    "CancelPage",
    "CancelledPage",
    "CheckingPage",
    "CheckoutValues",
    "Decline",
    "DiscountRow",
    "FeeRow",
    "FieldProblem",
    "InvoiceMail",
    "InvoicePage",
    "InvoiceStanding",
    "LaterCharge",
    "LineView",
    "MerchantView",
    "MethodView",
    "PaidBefore",
    "PartyView",
    "PayPage",
    "PaymentRow",
    "ReceiptMail",
    "ReceiptOutcome",
    "ReceiptPage",
    "RefundMail",
    "RenderedMail",
    "StateKind",
    "StatePage",
    "StripeView",
    "TaxRow",
    "TotalsView",
]
