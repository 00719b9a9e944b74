"""Tax rates: a percentage by name, that lines and products refer to and lines copy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, TypedDict

from chalicelib.domain.documents.catalogue import TaxRate
from chalicelib.domain.errors import InvalidValue
from chalicelib.services.catalogue.changing import add, change
from chalicelib.services.facts import describe
from chalicelib.services.ports import Ports


@dataclass(frozen=True, slots=True)
class NewTaxRate:
    """A rate to be made; `percent` is from 0 to 100."""

    name: str
    percent: Decimal
    inclusive: bool = False
    active: bool = True
    metadata: Mapping[str, str] = field(default_factory=dict)


class TaxRateChanges(TypedDict, total=False):
    """What of a rate can change: never what it comes to."""

    name: str
    active: bool
    metadata: Mapping[str, str]


@describe.register
def _(record: TaxRate) -> dict[str, Any]:
    return {
        "id": record.id,
        "object": "tax_rate",
        "name": record.name,
        "percent": f"{record.percent:f}",
        "inclusive": record.inclusive,
        "active": record.active,
        "metadata": dict(record.metadata),
    }


def create_tax_rate(ports: Ports, merchant_id: str, new: NewTaxRate, *, actor: str) -> TaxRate:
    """A new rate."""
    now = ports.clock.now()
    rate = TaxRate(
        id=ports.ids.new("txr", now),
        merchant_id=merchant_id,
        name=new.name,
        percent=new.percent,
        created_at=now,
        inclusive=new.inclusive,
        active=new.active,
        metadata=new.metadata,
    )
    return add(ports, rate, actor=actor)


def update_tax_rate(ports: Ports, merchant_id: str, rate_id: str, changes: TaxRateChanges, *, actor: str) -> TaxRate:
    """The rate with the changes; lines made before keep its old name. Raises NotFound."""
    return change(ports, merchant_id, TaxRate, rate_id, changes, actor=actor)


def require_usable(ports: Ports, merchant_id: str, rate_id: str, param: str) -> None:
    """Raises InvalidValue, naming `param`, for a rate that is not this merchant's or is archived."""
    rate = ports.records.find(TaxRate, rate_id)
    if rate is None or rate.merchant_id != merchant_id:
        raise InvalidValue("There is no such tax rate.", param)
    if not rate.active:
        raise InvalidValue("This tax rate is archived.", param)
