"""Every record of the domain is stored, once, under a name that stays."""

from __future__ import annotations

import importlib
import json
import pkgutil
from dataclasses import fields, is_dataclass, replace
from typing import Any

import pytest

from chalicelib.domain import documents
from chalicelib.domain.documents.invoices import LinePeriod
from chalicelib.domain.documents.merchants import Merchant
from chalicelib.services.ports import Index
from chalicelib.storage.codec import CodecError, from_text
from chalicelib.storage.kinds import KINDS, kind_of
from tests.storage.records import NOW, full_invoice


def records_of_the_domain() -> set[type[Any]]:
    found: set[type[Any]] = set()
    for module in pkgutil.iter_modules(documents.__path__, f"{documents.__name__}."):
        for value in vars(importlib.import_module(module.name)).values():
            if is_dataclass(value) and isinstance(value, type) and "version" in {field.name for field in fields(value)}:
                found.add(value)
    return found


def test_every_record_of_the_domain_has_a_kind() -> None:
    assert {kind.type for kind in KINDS} == records_of_the_domain()
    assert len({kind.name for kind in KINDS}) == len(KINDS)


def test_the_names_in_stored_rows_are_these() -> None:
    assert sorted((kind.name, kind.prefix) for kind in KINDS) == [
        ("account_owner", ""),
        ("address_tries", ""),
        ("api_key", ""),
        ("checkout", "chk"),
        ("customer", "cus"),
        ("customer_by_email", ""),
        ("event_sweep", "swp"),
        ("intent_owner", ""),
        ("invoice", "inv"),
        ("issued_key", "key"),
        ("keyed_call", ""),
        ("link_declines", ""),
        ("link_uses", ""),
        ("mail", ""),
        ("merchant", ""),
        ("method_change", ""),
        ("number_series", ""),
        ("payment", "pay"),
        ("payment_link", "plink"),
        ("portal_session", ""),
        ("price", "price"),
        ("product", "prod"),
        ("refund", "ref"),
        ("refund_owner", ""),
        ("sign_in_link", ""),
        ("sign_ins", ""),
        ("stripe_event", ""),
        ("subscription", "sub"),
        ("subscription_edit", "edit"),
        ("tax_rate", "txr"),
    ]


def test_what_is_listed_has_ids_that_sort() -> None:
    assert all(kind.prefix for kind in KINDS if kind.owners)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_kind_has_a_stored_form(kind: Any) -> None:
    with pytest.raises(CodecError, match="missing"):
        from_text(kind.type, json.dumps({}))


def test_an_id_of_a_time_lies_between_the_bounds_of_that_time() -> None:
    invoice, kind = full_invoice(), kind_of(type(full_invoice()))
    assert kind.lowest_id(NOW) <= invoice.id <= kind.highest_id(NOW)
    assert kind.lowest_id(NOW) == "inv_01KGAVZ2DV0000000000000000"
    assert kind.highest_id(NOW) == "inv_01KGAVZ2DVZZZZZZZZZZZZZZZZ"


def test_an_invoice_is_listed_under_the_one_subscription_that_it_bills() -> None:
    invoice = full_invoice()
    kind = kind_of(type(invoice))
    lines = invoice.line_periods
    other = LinePeriod(1, "sub_2", lines[0].period)

    def key(**changes: Any) -> str | None:
        return kind.index_keys(replace(invoice, **changes))[Index.BY_SUBSCRIPTION]

    assert key() == "sub_1#invoice"
    assert key(subscription_id=None, period=None) == "sub_1#invoice"
    assert key(subscription_id=None, period=None, line_periods=(lines[0], other)) is None
    assert key(subscription_id=None, period=None, line_periods=()) is None


def test_a_merchant_is_in_no_index() -> None:
    merchant = Merchant("mer_demo", "demo", "Demo", "UTC", "US", "usd", NOW)
    assert kind_of(Merchant).index_keys(merchant) == {}
