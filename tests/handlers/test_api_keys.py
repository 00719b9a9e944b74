"""API keys over HTTP: shown once, never wider than who made them, dead at once when revoked, and noted when used."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from chalicelib import wiring
from chalicelib.domain.documents.idempotency import KeyedCall
from chalicelib.domain.documents.merchants import ApiKey, IssuedKey, api_key_id
from chalicelib.services.merchants import SCOPES, hash_api_key
from tests.fakes.troubled import TroubledStore
from tests.handlers.conftest import Answer, ApiWorld

FLOOR = {"name": "Shop floor", "scopes": ["invoices:read", "payments:read"]}
KEY = {"Idempotency-Key": "the floor's key"}


def key_of(world: ApiWorld, text: str) -> ApiKey:
    return world.store.get(ApiKey, api_key_id(hash_api_key(text)))


def make(world: ApiWorld, *scopes: str, key: str = "") -> Answer:
    return world.post("/v1/api_keys", {"name": "A key", "scopes": list(scopes)}, key=key)


def test_a_key_is_shown_once_and_opens_what_it_is_for(api_world: ApiWorld) -> None:
    made = api_world.post("/v1/api_keys", FLOOR)
    text = made.body.pop("key")
    assert (made.status, text[:10], len(text)) == (201, "till_test_", 54)
    assert made.body == {
        "id": made.body["id"],
        "object": "api_key",
        "created_at": "2027-01-15T12:00:00Z",
        "metadata": {},
        **FLOOR,
        "prefix": text[:14],
        "last_used_at": None,
        "revoked_at": None,
    }
    assert api_world.get("/v1/invoices", key=text).status == 200
    assert api_world.get("/v1/customers", key=text).code == "insufficient_scope"


def test_the_list_has_every_key_and_neither_a_text_nor_a_hash(api_world: ApiWorld) -> None:
    text = api_world.post("/v1/api_keys", FLOOR).body["key"]
    narrow = api_world.key_for("events:read")
    listed = api_world.get("/v1/api_keys")
    assert [(key["name"], key["prefix"]) for key in listed.body["data"]] == [
        ("API key", narrow[:14]),
        ("Shop floor", text[:14]),
        ("First key", api_world.key[:14]),
    ]
    page = api_world.get("/v1/api_keys?limit=1").body
    shown = json.dumps([listed.body, page, api_world.get("/v1/events").body])
    for each in (text, narrow, api_world.key):
        assert each not in shown
        assert hash_api_key(each) not in shown
    rest = api_world.get(f"/v1/api_keys?limit=2&cursor={page['next_cursor']}").body
    assert [*page["data"], *rest["data"]] == listed.body["data"]


def test_the_text_is_nowhere_in_what_is_stored(api_world: ApiWorld) -> None:
    text = api_world.post("/v1/api_keys", FLOOR, headers=KEY).body["key"]
    # Four characters of the secret may be shown.
    assert text[14:] not in repr(api_world.store._rows)
    assert key_of(api_world, text).name == "Shop floor"


def test_other_merchants_keys_are_not_listed_and_cannot_be_revoked(api_world: ApiWorld) -> None:
    _, others = api_world.other_merchant()
    made = api_world.post("/v1/api_keys", FLOOR).body
    assert [key["name"] for key in api_world.get("/v1/api_keys", key=others).body["data"]] == ["First key"]
    assert api_world.post(f"/v1/api_keys/{made['id']}/revoke", key=others).code == "not_found"
    assert api_world.get("/v1/invoices", key=made["key"]).status == 200


# --- scopes


def test_a_key_gives_no_scope_that_it_does_not_have(api_world: ApiWorld) -> None:
    narrow = make(api_world, "api_keys:write", "invoices:read").body["key"]
    before = api_world.contents()
    for wanted in (["invoices:read", "payments:read"], ["*"], ["invoices:write"], sorted(SCOPES - {"*"})):
        refused = make(api_world, *wanted, key=narrow)
        if "invoices:write" in wanted and "invoices:write" not in SCOPES:
            assert refused.errors == {"scopes.0": "invalid_value"}
        else:
            assert (refused.status, refused.errors) == (403, {"scopes": "insufficient_scope"})
    assert api_world.contents() == before
    child = make(api_world, "invoices:read", key=narrow)
    assert (child.status, child.body["scopes"]) == (201, ["invoices:read"])


def test_every_single_scope_is_not_yet_everything(api_world: ApiWorld) -> None:
    wide = make(api_world, *sorted(SCOPES - {"*"})).body["key"]
    assert make(api_world, "*", key=wide).code == "insufficient_scope"
    assert make(api_world, *sorted(SCOPES - {"*"}), key=wide).status == 201
    assert make(api_world, "*").status == 201


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({}, {"name": "missing_field", "scopes": "missing_field"}),
        ({"name": "x", "scopes": []}, {"scopes": "out_of_range"}),
        ({"name": "x", "scopes": ["invoices:delete"]}, {"scopes.0": "invalid_value"}),
        ({"name": "x", "scopes": ["events:read", "EVENTS:READ"]}, {"scopes.1": "invalid_value"}),
        ({"name": "x", "scopes": "events:read"}, {"scopes": "wrong_type"}),
        ({"name": " ", "scopes": ["events:read"]}, {"name": "invalid_text"}),
        ({"name": "4242 4242 4242 4242", "scopes": ["events:read"]}, {"name": "card_number_refused"}),
        ({"name": "x", "scopes": ["events:read"], "key": "till_test_mine"}, {"key": "unknown_field"}),
    ],
)
def test_a_wrong_key_is_not_made(api_world: ApiWorld, body: dict[str, object], errors: dict[str, str]) -> None:
    before = api_world.contents()
    refused = api_world.post("/v1/api_keys", body)
    assert (refused.status, refused.errors) == (422, errors)
    assert api_world.contents() == before


def test_a_scope_twice_is_one(api_world: ApiWorld) -> None:
    assert make(api_world, "events:read", "events:read").body["scopes"] == ["events:read"]


# --- revoking


def test_a_revoked_key_opens_nothing_from_that_moment_on(api_world: ApiWorld) -> None:
    made = api_world.post("/v1/api_keys", FLOOR).body
    assert api_world.get("/v1/invoices", key=made["key"]).status == 200
    api_world.clock.advance(timedelta(minutes=5))
    revoked = api_world.post(f"/v1/api_keys/{made['id']}/revoke")
    assert (revoked.status, revoked.body["revoked_at"]) == (200, "2027-01-15T12:05:00Z")
    assert revoked.body["last_used_at"] == "2027-01-15T12:00:00Z"
    refused = api_world.get("/v1/invoices", key=made["key"])
    unknown = api_world.get("/v1/invoices", key="till_test_nobody")
    assert (refused.status, refused.code) == (401, "unauthenticated")
    assert refused.body["error"]["message"] == unknown.body["error"]["message"]


def test_revoking_again_changes_nothing(api_world: ApiWorld) -> None:
    made = api_world.post("/v1/api_keys", FLOOR).body
    first = api_world.post(f"/v1/api_keys/{made['id']}/revoke")
    api_world.clock.advance(timedelta(minutes=5))
    before = api_world.contents()
    assert api_world.post(f"/v1/api_keys/{made['id']}/revoke").body == first.body
    assert api_world.contents() == before


def test_a_key_may_revoke_itself(api_world: ApiWorld) -> None:
    made = make(api_world, "api_keys:write").body
    assert api_world.post(f"/v1/api_keys/{made['id']}/revoke", key=made["key"]).status == 200
    assert api_world.post(f"/v1/api_keys/{made['id']}/revoke", key=made["key"]).status == 401


def test_making_and_revoking_are_told(api_world: ApiWorld) -> None:
    made = api_world.post("/v1/api_keys", FLOOR).body
    api_world.post(f"/v1/api_keys/{made['id']}/revoke")
    revoked, created = api_world.get("/v1/events").body["data"]
    assert [created["type"], revoked["type"]] == ["api_key.created", "api_key.revoked"]
    facts = {"id": made["id"], "object": "api_key", "prefix": made["prefix"], **FLOOR}
    assert created["data"] == {"object": {**facts, "revoked_at": None}}
    assert revoked["data"] == {"object": {**facts, "revoked_at": "2027-01-15T12:00:00Z"}}
    assert {created["actor"], revoked["actor"]} == {f"api:{api_world.key[:14]}"}


# --- under an idempotency key


def test_a_retry_is_shown_the_same_key_that_is_stored_nowhere(api_world: ApiWorld) -> None:
    first = api_world.post("/v1/api_keys", FLOOR, headers=KEY)
    again = api_world.post("/v1/api_keys", FLOOR, headers=KEY)
    assert (again.status, again.body, again.headers["idempotent-replayed"]) == (201, first.body, "true")
    [call] = api_world.store.all(KeyedCall)
    assert json.loads(call.answer or "")["key"] == "till_test_"
    assert len(api_world.store.all(IssuedKey)) == 2
    assert api_world.get("/v1/invoices", key=again.body["key"]).status == 200


def test_another_idempotency_key_or_another_day_makes_another_key(api_world: ApiWorld) -> None:
    first = api_world.post("/v1/api_keys", FLOOR, headers=KEY).body
    other = api_world.post("/v1/api_keys", FLOOR, headers={"Idempotency-Key": "the other floor's"}).body
    api_world.clock.advance(timedelta(hours=24))
    later = api_world.post("/v1/api_keys", FLOOR, headers=KEY).body
    assert len({first["key"], other["key"], later["key"]}) == 3
    for made in (first, other, later):
        assert api_world.get("/v1/invoices", key=made["key"]).status == 200


def test_another_merchants_same_key_is_given_another_text(api_world: ApiWorld) -> None:
    _, others = api_world.other_merchant()
    mine = api_world.post("/v1/api_keys", FLOOR, headers=KEY).body
    theirs = api_world.post("/v1/api_keys", FLOOR, headers=KEY, key=others).body
    assert mine["key"] != theirs["key"]


# --- when a key was used last


def test_the_last_use_is_noted_once_an_hour(api_world: ApiWorld) -> None:
    def used() -> tuple[object, int]:
        key = key_of(api_world, api_world.key)
        return key.last_used_at, key.version

    start = api_world.clock.now()
    api_world.get("/v1/account")
    api_world.clock.advance(timedelta(minutes=59))
    api_world.get("/v1/account")
    assert used() == (start, 2)
    later = api_world.clock.advance(timedelta(minutes=1))
    api_world.get("/v1/account")
    assert used() == (later, 3)


def test_a_key_that_is_refused_is_not_noted_as_used(api_world: ApiWorld) -> None:
    narrow, revoked = api_world.key_for("events:read"), api_world.key_for("*")
    api_world.revoke(revoked)
    assert api_world.get("/v1/account", key=narrow).status == 403
    assert api_world.get("/v1/account", key=revoked).status == 401
    assert [key_of(api_world, text).last_used_at for text in (narrow, revoked)] == [None, None]


@pytest.mark.parametrize("trouble", ["lost", "lost and done", "beaten"])
def test_a_use_that_cannot_be_noted_is_no_error(api_world: ApiWorld, trouble: str) -> None:
    store = TroubledStore(api_world.store)
    wiring.replace_ports(replace(api_world.ports, records=store))
    if trouble == "beaten":
        store.before(1, lambda: api_world.revoke(api_world.key))
    else:
        store.lose_reply(1, effect=trouble == "lost and done")
    assert api_world.get("/v1/account").status == 200
    assert api_world.get("/v1/account").status == (401 if trouble == "beaten" else 200)


def test_eight_first_uses_at_once_all_open(api_world: ApiWorld) -> None:
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _: api_world.get("/v1/account").status, range(8)))
    assert statuses == [200] * 8
    assert key_of(api_world, api_world.key).last_used_at == api_world.clock.now()
