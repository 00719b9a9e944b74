"""Customers through the API: one customer of a merchant for each e-mail address."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypedDict

from chalicelib.domain.documents.customers import (
    Customer,
    CustomerByEmail,
    customer_by_email_id,
    normalise_email,
)
from chalicelib.domain.errors import FieldError, TillError
from chalicelib.services.facts import happened
from chalicelib.services.ports import Insert, Ports, Unchanged, Update, Write
from chalicelib.services.reading import read
from chalicelib.services.saving import commit, until_won, written


@dataclass(frozen=True, slots=True)
class NewCustomer:
    """A customer to be made."""

    email: str
    name: str | None = None
    company: str | None = None
    phone: str | None = None
    language: str | None = None
    tax_id: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


class CustomerChanges(TypedDict, total=False):
    """What of a customer to change; what is absent stays, None clears."""

    email: str
    name: str | None
    company: str | None
    phone: str | None
    language: str | None
    tax_id: str | None
    metadata: Mapping[str, str]


def create_customer(ports: Ports, merchant_id: str, new: NewCustomer, *, actor: str) -> Customer:
    """A new customer. Raises TillError `state_conflict` when the merchant has a customer of that address."""

    def attempt() -> Customer:
        now = ports.clock.now()
        customer = Customer(
            id=ports.ids.new("cus", now),
            merchant_id=merchant_id,
            email=new.email,
            created_at=now,
            name=new.name,
            company=new.company,
            phone=new.phone,
            language=new.language,
            tax_id=new.tax_id,
            metadata=new.metadata,
        )
        told = happened(ports.ids, "customer.created", customer, now=now, actor=actor)
        commit(ports, [Insert(customer), *_take_address(ports, customer, now), told])
        return written(customer)

    return until_won(ports, attempt)


def update_customer(
    ports: Ports, merchant_id: str, customer_id: str, changes: CustomerChanges, *, actor: str
) -> Customer:
    """The customer with the changes. Documents issued before keep what stands on them.

    After a change of address the old one still leads to this customer, until another customer takes it: whoever pays
    with it next is the same person. Raises NotFound, and `state_conflict` for an address that another customer has.
    """

    def attempt() -> Customer:
        before = read(ports, merchant_id, Customer, customer_id)
        after = replace(before, **changes)
        if after == before:
            return before
        now = ports.clock.now()
        writes: list[Write] = [Update(after)]
        if normalise_email(after.email) != normalise_email(before.email):
            writes += _take_address(ports, after, now)
        previous = {name: getattr(before, name) for name in changes if getattr(before, name) != getattr(after, name)}
        told = happened(ports.ids, "customer.updated", after, now=now, actor=actor, previous=_plain(previous))
        commit(ports, [*writes, told])
        return written(after)

    return until_won(ports, attempt)


def _take_address(ports: Ports, customer: Customer, now: datetime) -> list[Write]:
    row_id = customer_by_email_id(customer.merchant_id, customer.email)
    row = ports.records.find(CustomerByEmail, row_id)
    if row is None:
        return [Insert(CustomerByEmail(row_id, customer.merchant_id, customer.id, now))]
    if row.customer_id == customer.id:
        return [Unchanged(row)]
    other = ports.records.get(Customer, row.customer_id)
    if normalise_email(other.email) == normalise_email(customer.email):
        message = "Another customer has this address."
        raise TillError("state_conflict", message, "email", (FieldError("email", "state_conflict", message),))
    # The other one must not change back to its old address between our look and our write.
    return [Update(replace(row, customer_id=customer.id)), Unchanged(other)]


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: dict(value) if isinstance(value, Mapping) else value for name, value in values.items()}
