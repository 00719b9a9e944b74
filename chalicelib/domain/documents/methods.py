"""Payment methods as Till may know them: what is needed to name one to its owner, never what is needed to use it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Method:
    """`kind` is Stripe's type (`card`, `us_bank_account`), `brand` Stripe's word for the network or the bank's name."""

    kind: str
    brand: str | None
    last4: str | None


@dataclass(frozen=True, slots=True)
class StoredMethod:
    """A method kept at Stripe with the buyer's consent, under the Stripe customer of the checkout it came by."""

    payment_method_id: str
    stripe_customer_id: str
    method: Method
