"""Invoices in the buyer's hands: paid on their own page."""
