"""A program that was written from the API's document alone sells something, and a person buys it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.journeys.console import ROOT, Control, pay
from tests.stranger import shopkeeper
from tests.stranger.client import Client, NotAsDocumented, Refused


def client_of(control: Control) -> Client:
    info = control.info()
    return Client(f"{info['base_url']}/v1/openapi.json", info["api_key"])


def test_a_program_written_from_the_document_sells_reads_what_was_paid_and_gives_half_back(
    control: Control, phone: Page
) -> None:
    api = client_of(control)
    link = shopkeeper.sell(api)
    assert (link["due_today"]["total"], link["completed_payments"]) == (9_000, 0)
    pay(phone, link["url"])
    control.settle()
    payment = shopkeeper.payment_of(api, link)
    assert (payment["status"], payment["amount"], payment["fee"]) == ("succeeded", 9_000, 291)
    refund = shopkeeper.give_half_back(api, payment)
    assert (refund["payment"], refund["amount"]) == (payment["id"], 4_500)
    control.settle()
    payment = shopkeeper.payment_of(api, link)
    assert (payment["status"], payment["amount"], payment["refunded"]) == ("partially_refunded", 9_000, 4_500)
    [charge] = control.stripe("charges")
    assert (charge["amount"], charge["amount_refunded"]) == (9_000, 4_500)
    types = shopkeeper.what_happened(api)
    since = [name for name in types[types.index("product.created") :] if not name.startswith(("customer", "checkout"))]
    assert since == [
        "product.created",
        "price.created",
        "payment_link.created",
        "invoice.issued",
        "invoice.paid",
        "payment.succeeded",
        "payment.settled",
        "refund.created",
        "refund.succeeded",
    ]


def test_the_client_refuses_what_the_document_does_not_have_before_anything_is_sent(control: Control) -> None:
    api = client_of(control)
    with pytest.raises(NotAsDocumented, match=r"the body of create_product: .*colour"):
        api.call("create_product", colour="red")
    with pytest.raises(NotAsDocumented, match="has no colour"):
        api.call("list_events", colour="red")
    with pytest.raises(Refused) as unknown:
        api.call("get_payment", payment_id="pay_1")
    assert (unknown.value.status, unknown.value.error["code"]) == (404, "not_found")


def test_the_program_knows_nothing_of_the_code() -> None:
    for path in sorted((ROOT / "tests" / "stranger").glob("*.py")):
        assert imports_of(path) <= {"tests.stranger.client"}, path


def imports_of(path: Path) -> set[str]:
    """What a file imports of this project."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    named = {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    named |= {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return {name for name in named if name.partition(".")[0] in ("chalicelib", "infra", "app", "tests")}
