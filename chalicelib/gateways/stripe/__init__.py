"""Stripe: the payment provider behind its port, and its webhooks' signatures, which need no stripe package."""
