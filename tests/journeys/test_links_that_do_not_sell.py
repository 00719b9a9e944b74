"""Links that are off, unknown or not ready: a page that says so, and nothing else happens."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.journeys.console import Api, Control, ask


def link_of(api: Api, url: str) -> str:
    """The id of the link behind a page."""
    return str(next(link["id"] for link in api.all("/payment_links") if link["url"] == url))


def test_a_link_that_was_switched_off_says_so(control: Control, api: Api, phone: Page) -> None:
    url = control.info()["links"]["one_time"]
    assert api.post(f"/payment_links/{link_of(api, url)}/deactivate", {}).status == 200
    response = phone.goto(url)
    assert response is not None
    assert response.status == 410
    expect(phone.get_by_role("heading", level=1)).to_have_text("This link is closed.")
    expect(phone.get_by_text("You have not been charged.")).to_be_visible()
    assert control.stripe("payment_intents") == []


def test_an_unknown_address_names_nobody(control: Control, phone: Page) -> None:
    url = control.info()["links"]["one_time"]
    for wrong in (url[:-1], url[:-4] + "AAAA", url.replace("/pinewood-studio/", "/somebody-else/")):
        response = phone.goto(wrong)
        assert response is not None
        assert response.status == 404
        expect(phone.get_by_role("heading", level=1)).to_have_text("We cannot find this page.")
        assert "Pinewood" not in phone.content()


def test_a_merchant_that_is_not_connected_cannot_publish_and_its_links_cannot_be_paid(control: Control) -> None:
    _, other = control.add_merchant("Elm Street Books", "Europe/Berlin", "usd")
    line = {"name": "Book", "unit_amount": 2500, "quantity": 1}
    made = other.create("/payment_links", {"name": "A book", "currency": "usd", "lines": [line]})
    if made["active"]:
        # A merchant of the control plane is ready at once; then its link sells, under its own name only.
        page = ask("GET", made["url"])
        assert page.status == 200
        assert "Elm Street Books" in page.body
        assert "Pinewood" not in page.body
    else:
        refused = other.post(f"/payment_links/{made['id']}/activate", {})
        assert (refused.status, refused.body["error"]["code"]) == (409, "not_ready_to_transact")
        assert ask("GET", made["url"]).status == 410


def test_no_key_reads_another_merchants_records(control: Control, api: Api) -> None:
    _, other = control.add_merchant("Elm Street Books", "Europe/Berlin", "usd")
    link = api.all("/payment_links")[0]
    for path in (f"/payment_links/{link['id']}", "/invoices/inv_01J00000000000000000000000"):
        answer = ask("GET", f"{other.base_url}/v1{path}", headers=other._headers)
        assert (answer.status, answer.body["error"]["code"]) == (404, "not_found")
    assert other.all("/payment_links") == other.all("/invoices") == other.all("/payments") == []
