"""Every address that buyers have, as nobody, as another merchant, with wrong secrets, methods, types and bodies.

What is asked of each: the status, words a person understands, the whole set of headers, and that nothing was written,
asked of Stripe or sent.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from chalice.app import Chalice

from chalicelib.domain.documents.checkouts import Checkout
from chalicelib.domain.ids import page_token
from chalicelib.services.merchants import create_merchant
from chalicelib.web.static_files import asset_url
from tests.doors.visitors import BASE, FORM, Answer, Visitors, cancel_path, invoice_path, link_path

EVERYWHERE = {"strict-transport-security": "max-age=31536000", "x-content-type-options": "nosniff"}
NOTHING = "default-src 'none'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
STATE_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
LEAKS = ("Traceback", "chalice", "arn:", "sk_test", "whsec_", "dynamodb", "Internal Server Error", 'File "')


@dataclass(frozen=True)
class Door:
    """One route with an address that is right; `posts` says whether it takes a form."""

    pattern: str
    path: str
    posts: bool = False

    @property
    def secret_wrong(self) -> str:
        """The same with a secret of the right shape that is another's."""
        head, slash, tail = self.path.partition("/pay") if self.path.startswith("/invoice") else (self.path, "", "")
        if "/return" in head and head.startswith("/invoice"):
            head, slash, tail = self.path.partition("/return")
        if self.path.endswith("/status") and not slash:
            head, slash, tail = self.path.partition("/status")
        return head[:-22] + "A" * 22 + slash + tail


@dataclass(frozen=True)
class Street:
    """All doors of one shop, and the neighbour's name."""

    visitors: Visitors
    doors: tuple[Door, ...]
    neighbour: str

    def records(self) -> tuple[Door, ...]:
        """Those that stand for a record."""
        return tuple(door for door in self.doors if not door.pattern.startswith("/static"))

    def closed(self, answer: Answer, status: int, what: str) -> None:
        """Refused with words and whole headers, and nobody named."""
        assert answer.status == status, what
        assert_page(answer, what)
        assert "Pinewood" not in answer.text, what
        assert "anna@" not in answer.text, what


def assert_headers(answer: Answer, what: str) -> None:
    for name, value in EVERYWHERE.items():
        assert answer.headers.get(name) == value, (what, name)
    assert answer.headers["referrer-policy"] in ("no-referrer", "same-origin"), what
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; "), what
    assert "frame-ancestors 'none'" in policy, what
    assert "base-uri 'none'" in policy, what
    assert "unsafe" not in policy, what
    assert answer.headers["request-id"], what


def assert_page(answer: Answer, what: str) -> None:
    """A state page: a heading, text, no script, no leak, not kept."""
    assert_headers(answer, what)
    assert answer.headers["content-type"] == "text/html; charset=utf-8", what
    assert answer.headers["cache-control"] == "no-store", what
    assert answer.headers["content-security-policy"] == STATE_POLICY, what
    assert answer.headers["referrer-policy"] == "no-referrer", what
    assert answer.heading.endswith("."), what
    assert "<script" not in answer.text, what
    for leak in LEAKS:
        assert leak not in answer.text, (what, leak)


@pytest.fixture
def street(visitors: Visitors) -> Iterator[Street]:
    shop = visitors.shop
    [invoice] = visitors.overdue_invoices()
    subscription = shop.subscription(invoice.subscription_id or "")
    paid = visitors.get(link_path(shop.one_time)).form_token
    visitors.press(shop.one_time, paid)
    checkout = next(each for each in shop.store.all(Checkout) if each.payment_link_id == shop.one_time.id)
    token = page_token(checkout.id, checkout.secret)
    other, _ = create_merchant(
        shop.ports, name="Elm Street Books", timezone="Europe/Berlin", currency="usd", ready=True, slug="elm"
    )
    doors = (
        Door("/pay/{slug}/{token}", link_path(shop.one_time), posts=True),
        Door("/return/{slug}/{token}", f"/return/pinewood/{token}"),
        Door("/return/{slug}/{token}/status", f"/return/pinewood/{token}/status"),
        Door("/receipt/{slug}/{token}", f"/receipt/pinewood/{token}"),
        Door("/invoice/{slug}/{token}", invoice_path(invoice)),
        Door("/invoice/{slug}/{token}/pay", invoice_path(invoice, more="/pay"), posts=True),
        Door("/invoice/{slug}/{token}/return", invoice_path(invoice, more="/return")),
        Door("/invoice/{slug}/{token}/return/status", invoice_path(invoice, more="/return/status")),
        Door("/cancel/{slug}/{token}", cancel_path(subscription), posts=True),
        Door("/static/{name}", asset_url("till.css")),
    )
    shop.settle()
    before = visitors.contents()
    yield Street(visitors, doors, other.slug)
    assert visitors.contents() == before


def test_the_street_has_every_door(street: Street, buyer_app: Chalice) -> None:
    # The portal's have a walk of their own: who is let in there is decided by a session, and not by the address.
    routes = {path: each for path, each in buyer_app.routes.items() if not path.startswith("/portal/")}
    served = {path: sorted(entries) for path, entries in routes.items()}
    assert served == {door.pattern: ["GET", "POST"] if door.posts else ["GET"] for door in street.doors}


def test_who_has_the_address_is_let_in_with_whole_headers(street: Street) -> None:
    for door in street.doors:
        answer = street.visitors.get(door.path)
        assert answer.status in (200, 303), door
        assert_headers(answer, door.path)
        kept = door.pattern.startswith("/static")
        assert (answer.headers["cache-control"] == "no-store") != kept, door
        if answer.status == 303:
            assert answer.headers["location"].startswith(f"{BASE}/"), door
            assert answer.headers["content-security-policy"] == NOTHING, door
        elif door.path.endswith("/status"):
            assert answer.headers["content-security-policy"] == NOTHING, door
            assert answer.headers["content-type"] == "application/json", door
            assert set(json.loads(answer.text)) == {"status", "location"}, door


def test_another_merchants_name_opens_nothing(street: Street) -> None:
    for door in street.records():
        for slug in (street.neighbour, "nobody", "PINEWOOD", "%2e%2e", "mer_pinewood", "pinewood%00", "é"):
            path = door.path.replace("/pinewood/", f"/{slug}/")
            for method in ("GET", "POST") if door.posts else ("GET",):
                fields = None if method == "GET" else {"form_token": "x", "email": "eve@example.com", "name": "Eve"}
                answer = street.visitors.send(method, _ascii(path), fields)
                street.closed(answer, 404, f"{method} {path}")
                assert answer.heading == "We cannot find this page."


def test_a_wrong_secret_opens_nothing(street: Street) -> None:
    for door in street.records():
        wrong = [door.secret_wrong, door.secret_wrong.replace("A" * 22, "A" * 21), door.secret_wrong + "A"]
        wrong += [door.secret_wrong.replace("A" * 22, each) for each in ("", "%F0%9F%98%80" * 22, "x" * 500, "..")]
        for path in wrong:
            for method in ("GET", "POST") if door.posts else ("GET",):
                fields = None if method == "GET" else {"form_token": "x", "email": "eve@example.com", "name": "Eve"}
                answer = street.visitors.send(method, path, fields)
                # A page behind a checkout or a link does not exist either when the address is of another length.
                street.closed(answer, 404, f"{method} {path}")


def test_a_record_of_another_kind_does_not_open_a_door(street: Street) -> None:
    tokens = {door.path.split("/")[3] for door in street.records()}
    for door in street.records():
        own = door.path.split("/")[3]
        for token in tokens - {own}:
            path = door.path.replace(own, token)
            if path in {each.path for each in street.doors}:
                continue
            if door.pattern.startswith("/receipt") and street.visitors.get(f"/invoice/pinewood/{token}").status == 200:
                # The receipt of an invoice is a door of its own: while it is open, it leads to the invoice.
                assert street.visitors.get(path).status == 303
                continue
            street.closed(street.visitors.get(path), 404, path)


def test_a_method_that_a_door_does_not_take_is_405_and_names_those_it_takes(street: Street) -> None:
    for door in street.doors:
        for method in ("PUT", "PATCH", "DELETE", *(() if door.posts else ("POST",))):
            answer = street.visitors.send(method, door.path, raw=b"a=b", headers={"Content-Type": FORM})
            street.closed(answer, 405, f"{method} {door.path}")
            allowed = {each.strip() for each in answer.headers["allow"].split(",")}
            assert allowed == ({"GET", "POST"} if door.posts else {"GET"}), door


def test_a_head_request_says_as_much_and_has_no_body(street: Street) -> None:
    for door in street.doors:
        answer = street.visitors.send("HEAD", door.path)
        assert (answer.status, answer.text) == (405, ""), door
        assert_headers(answer, door.path)


@pytest.mark.parametrize(
    "content_type", ["application/json", "multipart/form-data; boundary=x", "text/plain", "application/xml", "x"]
)
def test_a_form_of_another_content_type_is_415(street: Street, content_type: str) -> None:
    for door in street.doors:
        if door.posts:
            answer = street.visitors.send("POST", door.path, raw=b"{}", headers={"Content-Type": content_type})
            street.closed(answer, 415, door.path)
            assert answer.heading == "We could not read what was sent."


def test_a_body_that_no_form_of_ours_sends_is_refused_in_words(street: Street) -> None:
    bodies = {
        b"email=" + b"x" * 70_000: 413,
        b"&".join(b"a%d=1" % number for number in range(60)): 422,
        b"email=%FF%FE": 422,
        b"\xff\xfe\x00": 422,
    }
    for door in street.doors:
        if not door.posts:
            continue
        for body, status in bodies.items():
            answer = street.visitors.send("POST", door.path, raw=body, headers={"Content-Type": FORM, "Origin": BASE})
            street.closed(answer, status, f"{door.path} {body[:20]!r}")
            assert answer.heading == "We could not read what was sent."
            assert "You have not been charged." in answer.text


def test_a_pages_own_script_is_told_in_json_where_the_buyer_is(street: Street) -> None:
    door = street.doors[0]
    answer = street.visitors.send(
        "POST",
        door.path,
        raw=b"email=" + b"x" * 70_000,
        headers={"Content-Type": FORM, "Origin": BASE, "Accept": "application/json"},
    )
    assert answer.status == 413
    assert answer.json == {
        "status": "refused",
        "title": "We could not read what was sent.",
        "text": "We took nothing of it. You have not been charged. Go back, reload the page and try again.",
    }
    assert_headers(answer, door.path)


def test_a_body_beyond_the_gateways_limit_is_refused_unread(street: Street) -> None:
    headers = {"Content-Type": FORM, "Content-Length": str(11 * 1024 * 1024)}
    answer = street.visitors.send("POST", street.doors[0].path, raw=b"", headers=headers)
    street.closed(answer, 413, "11 MB")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://till.example"},
        {"Origin": "https://till.example.evil.example"},
        {"Origin": "https://till.example:444"},
        {"Origin": "https://TILL.example"},
        {"Origin": "", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "", "Sec-Fetch-Site": "same-site"},
    ],
    ids=str,
)
def test_a_form_sent_from_another_site_is_refused_with_words(street: Street, headers: dict[str, str]) -> None:
    for door in street.doors:
        if not door.posts:
            continue
        form_token = street.visitors.get(door.path).form_token
        fields = {
            "form_token": form_token,
            "expected_total": "14800" if door.path.startswith("/pay") else "4900",
            "email": "eve@example.com",
            "name": "Eve",
            "confirmation_token": street.visitors.shop.token(),
        }
        answer = street.visitors.send("POST", door.path, fields, headers=headers)
        street.closed(answer, 403, door.path)
        assert answer.heading == "This form was sent from another site."
        assert "You have not been charged." in answer.text


def test_an_address_that_is_no_door_is_404_in_words(street: Street) -> None:
    for path in (
        "/",
        "/pay",
        "/pay/pinewood",
        "/pay/pinewood/",
        "/pay/pinewood/x/y",
        "/static/",
        "/static/nothing.js",
        "/static/..%2f..%2fapp.py",
        "/static/till.css%00",
        "/static/pay.js.map",
        "/.env",
        "/favicon.ico",
        "//evil.example/x",
        "/pay/pinewood/%0d%0aSet-Cookie:a=b",
    ):
        answer = street.visitors.get(path)
        street.closed(answer, 404, path)
        assert "set-cookie" not in answer.headers


def test_a_query_of_nonsense_changes_nothing_and_leads_nowhere_else(street: Street) -> None:
    query = "?changed=1&timed_out=%3Cscript%3E&link=https://evil.example&since=99999999999999999999&next=//evil.example"
    for door in street.records():
        answer = street.visitors.get(door.path + query)
        assert answer.status in (200, 303), door
        assert "evil.example" not in answer.text + str(answer.headers), door
        assert "<script>" not in answer.text, door


def test_a_press_that_left_no_checkout_leads_back_to_its_own_merchants_link_alone(street: Street) -> None:
    visitors, link = street.visitors, street.visitors.shop.one_time
    unknown = "01J00000000000000000000000" + "B" * 22
    link_token = page_token(link.id, link.secret)
    for query in ("", "?link=", f"?link={link_token[:-1]}A", "?link=//evil.example"):
        for more in ("", "/status"):
            street.closed(visitors.get(f"/return/pinewood/{unknown}{more}{query}"), 404, query)
    street.closed(visitors.get(f"/return/{street.neighbour}/{unknown}?link={link_token}"), 404, "neighbour")
    waiting = visitors.get(f"/return/pinewood/{unknown}?link={link_token}")
    assert (waiting.status, waiting.heading) == (200, "We are checking your payment.")


def _ascii(path: str) -> str:
    return path.replace("é", "%C3%A9")
