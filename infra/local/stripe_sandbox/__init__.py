"""A stateful, honest stand-in for exactly the Stripe API that Till calls; it imports nothing of the product."""

from infra.local.stripe_sandbox.misbehaviour import Misbehaviour
from infra.local.stripe_sandbox.sandbox import StripeSandbox
from infra.local.stripe_sandbox.webhooks import Delivery, WebhookMode

__all__ = ["Delivery", "Misbehaviour", "StripeSandbox", "WebhookMode"]
