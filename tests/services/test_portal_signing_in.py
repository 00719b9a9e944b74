"""Signing in to the portal: one mailed link, one use, and nothing that tells whose address is known."""

from __future__ import annotations

from datetime import timedelta

import pytest

from chalicelib.domain.documents.mails import Mail
from chalicelib.domain.documents.portal import PortalSession, SignInLink, hash_of
from chalicelib.domain.errors import NotFound, StateConflict
from chalicelib.services.customers import update_customer
from chalicelib.services.limits.addresses import TooManyTries
from chalicelib.services.merchants import create_merchant
from chalicelib.services.portal.signing_in import (
    MOST_OF_EMAIL,
    MOST_OF_SOURCE,
    LinkOver,
    Opened,
    ask_for_link,
    customer_of,
    find_link,
    find_visit,
    open_portal,
    send_method_link,
    sign_out,
)
from chalicelib.services.ports import QueueName
from chalicelib.services.subscriptions import cancel
from tests.services.shop import Shop


@pytest.fixture
def shop() -> Shop:
    shop = Shop()
    shop.subscribe()
    shop.settle()
    return shop


def secret_of(link_id: str) -> str:
    """What a deployment derives under its form secret."""
    return hash_of(link_id)[:22]


def ask(shop: Shop, email: str = "anna@example.com", source: str = "a", place: str | None = None) -> None:
    ask_for_link(shop.ports, shop.merchant.id, email, source=source, place=place, secret_of=secret_of)


def links(shop: Shop) -> list[SignInLink]:
    return sorted(shop.store.all(SignInLink), key=lambda link: link.id)


def enter(shop: Shop, link: SignInLink) -> Opened:
    return open_portal(shop.ports, "pinewood", link.id, secret_of(link.id))


def test_a_link_is_stored_by_its_hash_mailed_once_and_good_for_fifteen_minutes(shop: Shop) -> None:
    ask(shop, " Anna@Example.com", place="subscriptions/x/method")
    [link] = links(shop)
    assert (link.secret_hash, link.place) == (hash_of(secret_of(link.id)), "subscriptions/x/method")
    assert secret_of(link.id) not in repr(link)
    assert link.expires_at - link.created_at == timedelta(minutes=15)
    assert [(mail.about_id, mail.kind) for mail in shop.store.all(Mail) if mail.kind == "sign_in"] == [
        (link.id, "sign_in")
    ]
    assert len(shop.queues.waiting(QueueName.WORK)) == 1


def test_an_unknown_address_leaves_the_same_rows_as_a_known_one(shop: Shop) -> None:
    def rows_after(email: str, source: str) -> list[str]:
        before = {row.id for kind in (SignInLink, Mail) for row in shop.store.all(kind)}
        timers = len(shop.store.timers)
        ask(shop, email, source)
        after = {row.id for kind in (SignInLink, Mail) for row in shop.store.all(kind)}
        return [*(each.partition("_")[0] for each in sorted(after - before)), str(len(shop.store.timers) - timers)]

    assert rows_after("anna@example.com", "a") == rows_after("nobody@example.com", "b") == ["mail", "slnk", "1"]


def test_a_link_opens_the_portal_once_and_looking_at_it_does_not_use_it_up(shop: Shop) -> None:
    ask(shop)
    [link] = links(shop)
    for _ in range(3):
        assert find_link(shop.ports, "pinewood", link.id, secret_of(link.id))[1] == link
    opened = enter(shop, link)
    assert opened.session.expires_at - opened.session.created_at == timedelta(hours=1)
    assert shop.store.get(PortalSession, opened.session.id).secret_hash == hash_of(opened.secret)
    visit = find_visit(shop.ports, "pinewood", opened.session.id, opened.secret)
    assert visit is not None
    assert (visit.customer.email, visit.merchant.slug) == ("anna@example.com", "pinewood")
    with pytest.raises(LinkOver):
        enter(shop, link)
    with pytest.raises(LinkOver):
        find_link(shop.ports, "pinewood", link.id, secret_of(link.id))
    assert len(shop.store.all(PortalSession)) == 1


def test_a_link_that_is_too_old_or_of_another_secret_or_merchant_opens_nothing(shop: Shop) -> None:
    create_merchant(shop.ports, name="Elm", timezone="Europe/Berlin", currency="usd", ready=True, slug="elm")
    ask(shop)
    [link] = links(shop)
    for slug, link_id, secret in (
        ("elm", link.id, secret_of(link.id)),
        ("pinewood", link.id, "A" * 22),
        ("pinewood", "slnk_" + "0" * 26, secret_of(link.id)),
    ):
        with pytest.raises(NotFound):
            open_portal(shop.ports, slug, link_id, secret)
    shop.clock.set(link.expires_at)
    with pytest.raises(LinkOver):
        enter(shop, link)
    assert shop.store.all(PortalSession) == []


def test_a_session_ends_by_itself_by_signing_out_and_is_of_its_merchant_and_secret_alone(shop: Shop) -> None:
    create_merchant(shop.ports, name="Elm", timezone="Europe/Berlin", currency="usd", ready=True, slug="elm")
    ask(shop)
    opened = enter(shop, links(shop)[0])
    session, secret = opened.session, opened.secret
    assert find_visit(shop.ports, "elm", session.id, secret) is None
    assert find_visit(shop.ports, "pinewood", session.id, "A" * 22) is None
    assert find_visit(shop.ports, "pinewood", "psn_" + "0" * 26, secret) is None
    sign_out(shop.ports, session.id)
    assert find_visit(shop.ports, "pinewood", session.id, secret) is None
    ended = shop.store.get(PortalSession, session.id)
    sign_out(shop.ports, session.id)
    assert shop.store.get(PortalSession, session.id) == ended

    ask(shop)
    opened = enter(shop, links(shop)[1])
    shop.clock.set(opened.session.expires_at)
    assert find_visit(shop.ports, "pinewood", opened.session.id, opened.secret) is None


def test_who_took_the_address_since_is_signed_in_and_who_gave_it_up_is_not(shop: Shop) -> None:
    customer = customer_of(shop.ports, shop.merchant.id, "anna@example.com")
    assert customer is not None
    ask(shop)
    update_customer(shop.ports, shop.merchant.id, customer.id, {"email": "anna@elsewhere.example"}, actor="api:test")
    assert customer_of(shop.ports, shop.merchant.id, "anna@example.com") is None
    with pytest.raises(LinkOver):
        enter(shop, links(shop)[0])
    ask(shop, "ANNA@elsewhere.example")
    assert enter(shop, links(shop)[1]).session.customer_id == customer.id


def test_an_address_may_ask_so_often_in_an_hour_and_is_told_until_when(shop: Shop) -> None:
    for number in range(MOST_OF_SOURCE):
        ask(shop, f"buyer{number}@example.com")
    rows = len(links(shop))
    with pytest.raises(TooManyTries) as refused:
        ask(shop)
    assert refused.value.until == shop.clock.now() + timedelta(hours=1)
    assert len(links(shop)) == rows == MOST_OF_SOURCE
    ask(shop, source="b")
    shop.after(hours=1)
    ask(shop)
    assert len(links(shop)) == rows + 2


def test_one_e_mail_gets_so_many_links_an_hour_and_the_rest_is_answered_alike(shop: Shop) -> None:
    for number in range(MOST_OF_EMAIL + 3):
        ask(shop, source=f"source {number}")
    assert len(links(shop)) == MOST_OF_EMAIL
    shop.after(hours=1)
    ask(shop, source="one more")
    assert len(links(shop)) == MOST_OF_EMAIL + 1


def test_a_link_that_the_merchant_sends_goes_to_the_customers_own_address_once(shop: Shop) -> None:
    [subscription] = [shop.subscription(invoice.subscription_id or "") for invoice in shop.invoices()]

    def send() -> SignInLink:
        return send_method_link(
            shop.ports, shop.merchant.id, subscription.id, link_id="slnk_" + "0" * 26, secret_of=secret_of
        )

    link = send()
    assert (link.email, link.place) == ("anna@example.com", f"subscriptions/{subscription.id}/method")
    assert link.expires_at - link.created_at == timedelta(hours=24)
    assert send() == link
    assert len([mail for mail in shop.store.all(Mail) if mail.kind == "sign_in"]) == 1
    assert enter(shop, link).place == link.place


def test_no_link_is_sent_for_another_merchants_subscription_or_one_that_has_ended(shop: Shop) -> None:
    [subscription] = [shop.subscription(invoice.subscription_id or "") for invoice in shop.invoices()]
    other, _ = create_merchant(shop.ports, name="Elm", timezone="Europe/Berlin", currency="usd", ready=True, slug="elm")
    with pytest.raises(NotFound):
        send_method_link(shop.ports, other.id, subscription.id, link_id="slnk_1", secret_of=secret_of)
    cancel(shop.ports, shop.merchant.id, subscription.id, at="now", actor="test")
    with pytest.raises(StateConflict):
        send_method_link(shop.ports, shop.merchant.id, subscription.id, link_id="slnk_1", secret_of=secret_of)
    assert links(shop) == []
