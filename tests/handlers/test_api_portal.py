"""The API's side of the portal: a link that the customer is mailed, and what may be done there."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.domain.documents.mails import Mail
from chalicelib.domain.documents.portal import SignInLink
from tests.handlers.conftest import ApiWorld

PATH = "/v1/subscriptions"


@pytest.fixture
def subscription(api_world: ApiWorld) -> str:
    """A subscription of Ada's, without a payment method."""
    customer = api_world.post("/v1/customers", {"email": "ada@example.com", "name": "Ada Byron"}).body["id"]
    line = {"name": "Studio membership", "unit_amount": 4_900, "quantity": 1}
    terms = {"customer": customer, "currency": "usd", "lines": [line], "frequency": "monthly"}
    return str(api_world.post(PATH, terms).body["id"])


def links(world: ApiWorld) -> list[Any]:
    return list(world.store.all(SignInLink))


def test_the_customer_is_mailed_a_link_and_the_answer_holds_no_key(api_world: ApiWorld, subscription: str) -> None:
    answer = api_world.post(f"{PATH}/{subscription}/payment_method_link", {})
    assert answer.status == 200
    [link] = links(api_world)
    slug = link.merchant_id.removeprefix("mer_")
    assert answer.body == {
        "object": "payment_method_link",
        "created_at": "2027-01-15T12:00:00Z",
        "metadata": {},
        "subscription": subscription,
        "url": f"https://till.example/portal/{slug}/subscriptions/{subscription}/method",
        "sent_to": "ada@example.com",
        "expires_at": "2027-01-16T12:00:00Z",
    }
    assert link.place == f"subscriptions/{subscription}/method"
    [mail] = [each for each in api_world.store.all(Mail) if each.about_id == link.id]
    assert (mail.to, mail.kind) == ("ada@example.com", "sign_in")


def test_under_one_key_one_link_is_mailed(api_world: ApiWorld, subscription: str) -> None:
    path, key = f"{PATH}/{subscription}/payment_method_link", {"Idempotency-Key": "order-1"}
    first = api_world.post(path, {}, headers=key)
    again = api_world.post(path, {}, headers=key)
    assert (first.status, again.status, first.body) == (200, 200, again.body)
    assert len(links(api_world)) == 1
    assert api_world.post(path, {}).status == 200
    assert len(links(api_world)) == 2


def test_a_subscription_that_has_ended_or_is_not_there_has_no_link(api_world: ApiWorld, subscription: str) -> None:
    api_world.post(f"{PATH}/{subscription}/cancel", {"at": "now"})
    before = api_world.contents()
    ended = api_world.post(f"{PATH}/{subscription}/payment_method_link", {})
    assert (ended.status, ended.body["error"]["code"]) == (409, "state_conflict")
    unknown = api_world.post(f"{PATH}/sub_{'0' * 26}/payment_method_link", {})
    assert (unknown.status, unknown.body["error"]["code"]) == (404, "not_found")
    assert api_world.contents() == before


def test_the_account_says_whether_buyers_may_cancel_in_the_portal(api_world: ApiWorld) -> None:
    assert api_world.get("/v1/account").body["portal"] == {"cancel": True}
    assert api_world.post("/v1/account", {"portal": {"cancel": False}}).body["portal"] == {"cancel": False}
    assert api_world.get("/v1/account").body["portal"] == {"cancel": False}
    # What is absent stays, and null is the setting as it was at first.
    assert api_world.post("/v1/account", {"name": "Pinewood"}).body["portal"] == {"cancel": False}
    assert api_world.post("/v1/account", {"portal": None}).body["portal"] == {"cancel": True}
    wrong = api_world.post("/v1/account", {"portal": {"cancel": "no", "more": 1}})
    assert wrong.status == 422
    assert {each["param"] for each in wrong.body["error"]["errors"]} == {"portal.cancel", "portal.more"}
    assert api_world.get("/v1/account").body["portal"] == {"cancel": True}
