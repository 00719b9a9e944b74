"""A stateful, honest stand-in for exactly the Stripe API that Till calls; it imports nothing of the product.

What keeps it honest:

- `routes` lists the endpoints, each with the stripe package's own parameter type; `parameter_types` compiles it,
  `parameter_checker` applies it, and what Stripe would take but no endpoint here acts on is refused with 501, never
  ignored. Rules beyond the types stand where they apply, each with the page of Stripe's that says so.
- `reply_walker` walks every answer and every event against the package's resource classes before it leaves.
- `payment_confirmation` is the one place where money is taken, under the one lock of `world`.
- Time is the clock it is given; nothing waits, and what is due later is done by `StripeSandbox.deliver_due`.

To add an endpoint: write it in the module of its resource, list it in `routes`, add its wrong requests to the table in
`tests/sandbox/test_wrong_requests.py`. To add a test card: one line in `cards`.

Known to be simpler than Stripe: bank debits, manual and synchronous capture and search are not modelled; a lock that is
taken waits instead of answering 429 `lock_timeout`; exchange rates are fixed; the limit on confirmations, which Stripe
does not publish, and the limits on requests a second, which hold nobody by default, are arguments; issuer details
(risk scores, network codes) are constants.
"""

from infra.local.stripe_sandbox.misbehaviour import Misbehaviour
from infra.local.stripe_sandbox.sandbox import StripeSandbox
from infra.local.stripe_sandbox.webhooks import Delivery, WebhookMode

__all__ = ["Delivery", "Misbehaviour", "StripeSandbox", "WebhookMode"]
