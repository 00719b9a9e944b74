"""Every address of the portal, as nobody, another customer or merchant, with an ended session, and without a token.

What is asked of each: who gets in, what the others are told, and that what they sent changed nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import pytest
from chalice.app import Chalice

from chalicelib.domain.documents.portal import PortalSession, SignInLink
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.services.merchants import create_merchant
from tests.doors.portal_visitors import (
    PORTAL,
    Buyer,
    anna_is_behind,
    bobs,
    change_begun,
    form_token,
    newest_link,
    own,
    waiting,
)
from tests.doors.test_every_door import NOTHING, assert_headers
from tests.doors.visitors import BASE, FORM, Answer, Visitors

SUBSCRIPTION = "/portal/{slug}/subscriptions/{subscription_id}"
ROUTES = {
    "/portal/{slug}": ["GET", "POST"],
    "/portal/{slug}/open/{token}": ["GET", "POST"],
    "/portal/{slug}/out": ["POST"],
    SUBSCRIPTION: ["GET"],
    f"{SUBSCRIPTION}/cancel": ["GET", "POST"],
    f"{SUBSCRIPTION}/resume": ["POST"],
    f"{SUBSCRIPTION}/method": ["GET", "POST"],
    f"{SUBSCRIPTION}/method/{{change}}": ["GET"],
    f"{SUBSCRIPTION}/method/{{change}}/status": ["GET"],
}
"""Every route of the portal; the first two are for everybody, the others for who is signed in."""


@dataclass(frozen=True)
class Inside:
    """A page for who is signed in: an address of Anna's, by its route and method."""

    pattern: str
    method: str
    path: str


@dataclass
class Street:
    """The portal with Anna signed in, what is hers, and her neighbours."""

    visitors: Visitors
    anna: Buyer
    subscription: Subscription
    theirs: Subscription
    doors: tuple[Inside, ...]

    def knock(self, door: Inside, path: str, buyer: Buyer, **fields: str) -> Answer:
        if door.method == "GET":
            return buyer.get(path)
        filled = {"email": "eve@example.com", "name": "Eve", "confirmation_token": self.visitors.shop.token()}
        return buyer.post(path, {**filled, **fields})


@pytest.fixture
def street(visitors: Visitors) -> Street:
    subscription = anna_is_behind(visitors)
    theirs = bobs(visitors)
    create_merchant(
        visitors.shop.ports, name="Elm Street Books", timezone="Europe/Berlin", currency="usd", ready=True, slug="elm"
    )
    anna = Buyer(visitors)
    anna.sign_in()
    change = change_begun(visitors, anna, subscription, "pm_card_chargeDeclined")
    paths = {
        "/portal/{slug}/out": f"{PORTAL}/out",
        SUBSCRIPTION: own(subscription),
        f"{SUBSCRIPTION}/cancel": own(subscription, "/cancel"),
        f"{SUBSCRIPTION}/resume": own(subscription, "/resume"),
        f"{SUBSCRIPTION}/method": own(subscription, "/method"),
        f"{SUBSCRIPTION}/method/{{change}}": waiting(change),
        f"{SUBSCRIPTION}/method/{{change}}/status": f"{waiting(change)}/status",
    }
    doors = tuple(Inside(pattern, method, path) for pattern, path in paths.items() for method in ROUTES[pattern])
    return Street(visitors, anna, subscription, theirs, doors)


def leads_to_sign_in(answer: Answer, what: str) -> None:
    """Nobody is told anything but where to sign in."""
    if answer.status == 200:
        assert answer.json["status"] == "closed", what
        where = answer.json["location"]
    else:
        assert answer.status == 303, what
        where = answer.headers["location"]
    assert where == f"{BASE}{PORTAL}" or where.startswith(f"{BASE}{PORTAL}?to=subscriptions/sub_"), what
    assert "set-cookie" not in answer.headers, what
    assert_headers(answer, what)


def test_the_portal_has_these_doors(buyer_app: Chalice) -> None:
    served = {path: sorted(each) for path, each in buyer_app.routes.items() if path.startswith("/portal/")}
    assert served == ROUTES


def test_who_is_signed_in_sees_their_own_with_whole_headers(street: Street) -> None:
    for door in street.doors:
        if door.method == "GET":
            answer = street.anna.get(door.path)
            assert answer.status == 200, door
            assert_headers(answer, door.path)
            assert answer.headers["cache-control"] == "no-store", door
    home = street.anna.get(PORTAL)
    assert "Membership" in home.text
    assert "anna@example.com" in home.text
    assert "bob@example.com" not in home.text
    assert street.theirs.id not in home.text


def test_nobody_is_led_to_the_sign_in_page_and_changes_nothing(street: Street) -> None:
    before = street.visitors.contents()
    for buyer in (Buyer(street.visitors), Buyer(street.visitors, "till_portal=nonsense")):
        for door in street.doors:
            leads_to_sign_in(street.knock(door, door.path, buyer), f"{door.method} {door.path}")
    assert street.visitors.contents() == before


def test_another_customers_subscription_is_not_there(street: Street) -> None:
    bob = Buyer(street.visitors)
    bob.sign_in("bob@example.com")
    before = street.visitors.contents()
    for door in street.doors:
        if door.pattern.endswith("/out"):
            continue
        # Anna's address in Bob's browser, and Bob's subscription in Anna's.
        swapped = door.path.replace(street.subscription.id, street.theirs.id)
        for buyer, path in ((bob, door.path), (street.anna, swapped)):
            token = form_token(buyer.get(PORTAL), f"{PORTAL}/out")
            answer = street.knock(door, path, buyer, form_token=token)
            assert answer.status == 404, f"{door.method} {path}"
            assert "Membership" not in answer.text, path
            assert "Kowalska" not in answer.text, path
    assert street.visitors.contents() == before
    assert street.subscription.id not in bob.get(PORTAL).text


def test_an_unknown_subscription_and_one_that_is_no_id_answer_alike(street: Street) -> None:
    words = set()
    for wrong in ("sub_" + "0" * 26, "sub_x", "x", "%00", "inv_" + "0" * 26, street.theirs.id):
        for door in street.doors:
            if "{subscription_id}" in door.pattern:
                path = door.path.replace(street.subscription.id, wrong)
                answer = street.knock(door, path, street.anna)
                assert answer.status == 404, f"{door.method} {path}"
                if answer.headers["content-type"].startswith("text/html"):
                    words.add(answer.heading)
    assert words == {"We cannot find this page."}


def test_another_merchants_portal_knows_nobody_of_this_one(street: Street) -> None:
    before = street.visitors.contents()
    for door in street.doors:
        path = door.path.replace("/pinewood", "/elm")
        answer = street.knock(door, path, street.anna)
        where = answer.json["location"] if answer.status == 200 else answer.headers["location"]
        assert where.startswith(f"{BASE}/portal/elm"), path
        unknown = door.path.replace("/pinewood", "/nobody")
        assert street.knock(door, unknown, street.anna).status == 404, unknown
    assert street.anna.get("/portal/elm").heading == "Your account with Elm Street Books"
    assert street.anna.get("/portal/nobody").status == 404
    assert street.visitors.contents() == before


def test_a_customer_of_another_merchant_with_the_same_address_sees_nothing_of_this_one(street: Street) -> None:
    # The link is asked for at Elm Street, where this address has no account: no mail is written for it.
    buyer = Buyer(street.visitors)
    assert buyer.ask("anna@example.com", "/portal/elm").status == 303
    with pytest.raises(AssertionError):
        newest_link(street.visitors)


def test_a_session_that_is_over_opens_nothing(street: Street) -> None:
    shop = street.visitors.shop
    signed_out = Buyer(street.visitors, street.anna.cookie)
    assert street.anna.press(PORTAL, f"{PORTAL}/out").status == 303
    for door in street.doors:
        leads_to_sign_in(street.knock(door, door.path, signed_out), f"signed out {door.path}")
    again = Buyer(street.visitors)
    again.sign_in()
    assert again.get(own(street.subscription)).status == 200
    shop.after(hours=1)
    before = street.visitors.contents()
    for door in street.doors:
        leads_to_sign_in(street.knock(door, door.path, again), f"too old {door.path}")
    assert again.get(PORTAL).heading == "Your account with Pinewood Studio"
    assert street.visitors.contents() == before


def test_a_form_without_its_token_or_with_anothers_changes_nothing(street: Street) -> None:
    bob = Buyer(street.visitors)
    bob.sign_in("bob@example.com")
    cancels = form_token(street.anna.get(own(street.subscription, "/cancel")), own(street.subscription, "/cancel"))
    tokens = {
        "none": "",
        "nonsense": "x.1.y",
        "of another session": form_token(bob.get(own(street.theirs, "/cancel")), own(street.theirs, "/cancel")),
        "of another form": form_token(street.anna.get(PORTAL), f"{PORTAL}/out"),
    }
    before = street.visitors.contents()
    for door in street.doors:
        if door.method != "POST":
            continue
        for what, token in tokens.items():
            if door.pattern.endswith("/out") and what == "of another form":
                token = cancels
            answer = street.knock(door, door.path, street.anna, form_token=token)
            assert answer.status == 303, f"{door.path} {what}"
            assert "set-cookie" not in answer.headers, door
    assert street.visitors.contents() == before
    assert street.anna.get(own(street.subscription)).status == 200


def test_a_form_from_another_site_is_refused(street: Street) -> None:
    token = form_token(street.anna.get(own(street.subscription, "/cancel")), own(street.subscription, "/cancel"))
    link = _asked(street)
    before = street.visitors.contents()
    for path in (PORTAL, link, *(door.path for door in street.doors if door.method == "POST")):
        for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"}):
            answer = street.anna.post(path, {"form_token": token, "email": "eve@example.com"}, **headers)
            assert answer.status == 403, path
            assert answer.heading == "This form was sent from another site."
    assert street.visitors.contents() == before


def _asked(street: Street) -> str:
    assert Buyer(street.visitors).ask().status == 303
    return newest_link(street.visitors)


def test_other_methods_and_content_types_are_refused(street: Street) -> None:
    for pattern, methods in ROUTES.items():
        paths = {door.pattern: door.path for door in street.doors} | {"/portal/{slug}": PORTAL}
        path = paths.get(pattern) or _asked(street)
        for method in ("PUT", "PATCH", "DELETE", *({"GET", "POST"} - set(methods))):
            answer = street.visitors.send(method, path, raw=b"a=b", headers={"Content-Type": FORM})
            assert answer.status == 405, f"{method} {path}"
        if "POST" in methods:
            answer = street.visitors.send("POST", path, raw=b"{}", headers={"Content-Type": "application/json"})
            assert answer.status == 415, path


def test_everybody_who_asks_for_a_link_reads_the_same(street: Street) -> None:
    answers = [Buyer(street.visitors).ask(email) for email in ("anna@example.com", "nobody@example.com")]
    assert len({(each.status, each.headers["location"], each.text) for each in answers}) == 1
    sent = street.visitors.get(answers[0].headers["location"])
    assert sent.heading == "Look into your mail."
    assert "If that address has an account with <bdi>Pinewood Studio</bdi>, a link is on its way." in sent.text
    assert "It works once, for 15 minutes." in sent.text
    assert "anna@" not in sent.text


def test_looking_at_a_link_uses_nothing_up_and_its_button_does_once(street: Street) -> None:
    link = _asked(street)
    before = street.visitors.contents()
    for _ in range(3):
        seen = street.visitors.get(link)
        assert (seen.status, seen.heading) == (200, "Your account with Pinewood Studio")
        assert "set-cookie" not in seen.headers
    # A scanner that presses buttons does so from nowhere, or without the form's token.
    assert street.visitors.send("POST", link, {"form_token": "x"}).status == 303
    assert street.visitors.contents() == before

    buyer = Buyer(street.visitors)
    opened = buyer.press(link, link)
    assert opened.status == 303
    assert opened.headers["location"] == f"{BASE}{PORTAL}"
    assert opened.headers["content-security-policy"] == NOTHING
    name, _, attributes = opened.headers["set-cookie"].partition("; ")
    assert name.startswith("till_portal=")
    assert attributes == f"Path={PORTAL}; Max-Age=3600; HttpOnly; SameSite=Lax; Secure"
    secret = name.partition("=")[2][26:]
    stored = max(street.visitors.shop.store.all(PortalSession), key=lambda each: each.id)
    assert secret not in repr(stored)
    for method in ("GET", "POST"):
        over = street.visitors.send(method, link, {"form_token": "x"} if method == "POST" else None)
        assert (over.status, over.heading) == (410, "This link has been used, or is too old.")
        assert f'href="{BASE}{PORTAL}"' in over.text


def test_an_old_link_and_a_wrong_one_open_nothing(street: Street) -> None:
    link = _asked(street)
    for wrong in (link[:-1], link[:-22] + "A" * 22, link.replace("/pinewood/", "/elm/"), link + "A"):
        answer = street.visitors.get(wrong)
        assert (answer.status, answer.heading) == (404, "We cannot find this page."), wrong
        assert street.visitors.send("POST", wrong, {"form_token": "x"}).status == 404, wrong
    token = form_token(street.visitors.get(link), link)
    street.visitors.shop.after(minutes=15)
    answer = street.visitors.send("POST", link, {"form_token": token})
    assert (answer.status, answer.heading) == (410, "This link has been used, or is too old.")
    assert "set-cookie" not in answer.headers


def test_a_link_leads_to_the_page_that_was_wanted_and_nowhere_else(street: Street) -> None:
    wanted = own(street.subscription, "/method")
    to_sign_in = street.visitors.get(wanted)
    door = to_sign_in.headers["location"].removeprefix(BASE)
    page = street.visitors.get(door)
    place = f"subscriptions/{street.subscription.id}/method"
    assert f'name="place" value="{place}"' in page.text
    buyer = Buyer(street.visitors)
    fields = {"form_token": form_token(page, PORTAL), "email": "anna@example.com", "place": place}
    assert buyer.post(PORTAL, fields).status == 303
    link = newest_link(street.visitors)
    assert buyer.press(link, link).headers["location"] == f"{BASE}{wanted}"
    for elsewhere in ("https://evil.example", "//evil.example", "../../pay", "subscriptions/x", "", place + "/x"):
        buyer.post(PORTAL, {**fields, "place": elsewhere})
        newest = max(street.visitors.shop.store.all(SignInLink), key=lambda each: each.id)
        assert newest.place is None, elsewhere


def test_what_is_no_address_is_told_under_the_field(street: Street) -> None:
    page = street.visitors.get(PORTAL)
    before = street.visitors.contents()
    for email, words in (
        ("", "Enter your e-mail address, so that we can send you a link"),
        ("anna", "Enter an e-mail address with an @, like name@example.com"),
        ("a b@example.com", "Enter one e-mail address without spaces or commas, like name@example.com"),
    ):
        fields = {"form_token": form_token(page, PORTAL), "email": email}
        answer = street.visitors.send("POST", PORTAL, fields)
        assert answer.status == 422
        assert answer.text.count(words) == 2
        assert f'value="{email}"' in answer.text
    assert street.visitors.contents() == before


def test_an_address_that_asks_too_often_is_told_until_when(street: Street) -> None:
    buyer = Buyer(street.visitors)
    token = form_token(buyer.get(PORTAL), PORTAL)
    asked = len(street.visitors.shop.store.all(SignInLink))
    for number in range(20 - asked):
        assert buyer.post(PORTAL, {"form_token": token, "email": f"b{number}@example.com"}).status == 303
    before = street.visitors.contents()
    answer = buyer.post(PORTAL, {"form_token": token, "email": "anna@example.com"})
    assert answer.status == 429
    assert answer.headers["retry-after"] == str(int(timedelta(hours=1).total_seconds()))
    assert "For safety, signing in pauses here until" in answer.text
    assert street.visitors.contents() == before
