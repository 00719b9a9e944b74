"""Calls under an idempotency key without HTTP: what the boundary does around a view, in a few lines."""

from __future__ import annotations

import json
from collections.abc import Callable

from chalicelib.domain.documents.customers import Customer
from chalicelib.services.customers import NewCustomer, create_customer
from chalicelib.services.idempotency import Answer, Answering, Held, begin
from chalicelib.services.ports import Ports

ADA = NewCustomer("ada@example.com", name="Ada")


def shown(customer: Customer) -> Answer:
    """A customer as JSON, with its version, so that what is not yet written shows."""
    facts = {"id": customer.id, "email": customer.email, "name": customer.name, "v": customer.version}
    return Answer(201, json.dumps(facts))


def keyed(
    ports: Ports,
    merchant_id: str,
    work: Callable[[Held], Customer],
    *,
    key: str = "order 42",
    fingerprint: str = "one body",
    final: Callable[[Customer], bool] = lambda customer: True,
) -> Answer:
    """One request: claim, work, answer. What `work` raises gives the key back, as a refusal does."""
    held = begin(ports, merchant_id, key, fingerprint)
    if isinstance(held, Answer):
        return held
    held.answer_with(Answering(Customer, shown, final))
    try:
        return held.finish(shown(work(held)))
    except Exception:
        held.let_go()
        raise


def make(merchant_id: str, new: NewCustomer = ADA) -> Callable[[Held], Customer]:
    """The work of making a customer."""
    return lambda held: create_customer(held.ports, merchant_id, new, actor="test")
