"""Signing in: a link is mailed, a press opens a session with it once, and nobody learns whose address is known.

Every request for a link writes the same rows; whether the address is a customer's is found out by the worker that
would mail it, so neither the answer nor the time it takes tells.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from chalicelib.domain.documents.customers import (
    Customer,
    CustomerByEmail,
    customer_by_email_id,
    normalise_email,
)
from chalicelib.domain.documents.mails import MailKind
from chalicelib.domain.documents.merchants import Merchant
from chalicelib.domain.documents.portal import (
    COUNTED_FOR,
    LINK_LIFE,
    SENT_LINK_LIFE,
    SESSION_LIFE,
    PortalSession,
    SignInLink,
    SignIns,
    hash_of,
    is_secret,
    sign_ins_of_email,
    sign_ins_of_source,
)
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.documents.timers import Timer
from chalicelib.domain.errors import NotFound, StateConflict
from chalicelib.services.limits.addresses import TooManyTries
from chalicelib.services.mails import mail_timer, new_mail, posted, queue_mail
from chalicelib.services.ports import Insert, Ports, Update, Write
from chalicelib.services.saving import commit, until_won, written

MOST_OF_SOURCE: Final = 20
"""Links that one address may ask for within an hour at one merchant."""
MOST_OF_EMAIL: Final = 5
"""Links that are mailed to one e-mail address within an hour; more are answered alike, and not sent."""

SecretOf = Callable[[str], str]
"""The secret of a link, from its id: the mail is written later, when nothing but the hash is stored."""


class LinkOver(Exception):
    """The link has been used, or is too old."""

    def __init__(self, merchant: Merchant) -> None:
        super().__init__("the link has been used, or is too old")
        self.merchant = merchant


@dataclass(frozen=True, slots=True)
class Visit:
    """Who is signed in, and where: everything in the portal is read for this customer of this merchant alone."""

    merchant: Merchant
    session: PortalSession
    customer: Customer


@dataclass(frozen=True, slots=True)
class Opened:
    """A session that was just opened, its secret for the cookie, and where the link leads."""

    merchant: Merchant
    session: PortalSession
    secret: str
    place: str | None


def find_merchant(ports: Ports, slug: str) -> Merchant:
    """The merchant whose portal it is. Raises NotFound."""
    merchant = ports.records.find(Merchant, f"mer_{slug}")
    if merchant is None:
        raise NotFound("page")
    return merchant


def ask_for_link(
    ports: Ports, merchant_id: str, email: str, *, source: str, place: str | None, secret_of: SecretOf
) -> None:
    """Have a link mailed, if there is a customer of that address. Raises TooManyTries for the asking address alone."""

    def attempt() -> Timer | None:
        now = ports.clock.now()
        places = (sign_ins_of_source(merchant_id, source), sign_ins_of_email(merchant_id, email))
        by_source, by_email = ports.records.find_many([(SignIns, place) for place in places])
        if _count_of(by_source, now) >= MOST_OF_SOURCE:
            raise TooManyTries(by_source.since + COUNTED_FOR)
        writes: list[Write] = [_one_more(by_source, places[0], merchant_id, now)]
        if _count_of(by_email, now) >= MOST_OF_EMAIL:
            commit(ports, writes)
            return None
        link = _link(ports, merchant_id, email, now, now + LINK_LIFE, place, secret_of)
        timer, mailed = _mailed(link, now)
        commit(ports, [*writes, _one_more(by_email, places[1], merchant_id, now), Insert(link), *mailed])
        return timer

    timer = until_won(ports, attempt)
    if timer is not None:
        queue_mail(ports, timer)


def send_method_link(
    ports: Ports, merchant_id: str, subscription_id: str, *, link_id: str, secret_of: SecretOf
) -> SignInLink:
    """Mail the customer of a subscription a link to the page that replaces its method; to their own address alone.

    `link_id` makes it happen once. Raises NotFound, and StateConflict for a subscription that has ended.
    """
    before = ports.records.find(SignInLink, link_id)
    if before is not None:
        return before
    subscription = ports.records.find(Subscription, subscription_id)
    if subscription is None or subscription.merchant_id != merchant_id:
        raise NotFound("subscription")
    if subscription.has_ended:
        raise StateConflict(f"This subscription is {subscription.status}: nothing will be charged to another method.")
    customer = ports.records.find(Customer, subscription.customer_id)
    if customer is None:
        raise StateConflict("There is nobody whom a link could be mailed to.")
    now = ports.clock.now()
    made = SignInLink(
        id=link_id,
        merchant_id=merchant_id,
        email=customer.email,
        secret_hash=hash_of(secret_of(link_id)),
        created_at=now,
        expires_at=now + SENT_LINK_LIFE,
        place=f"subscriptions/{subscription.id}/method",
    )
    timer, mailed = _mailed(made, now)
    commit(ports, [Insert(made), *mailed])
    queue_mail(ports, timer)
    return written(made)


def find_link(ports: Ports, slug: str, link_id: str, secret: str) -> tuple[Merchant, SignInLink]:
    """A link that would open the portal, which it does not do yet. Raises NotFound, and LinkOver."""
    merchant, link = ports.records.find_many([(Merchant, f"mer_{slug}"), (SignInLink, link_id)])
    if merchant is None or link is None or link.merchant_id != merchant.id:
        raise NotFound("page")
    if not is_secret(secret, link.secret_hash):
        raise NotFound("page")
    if not link.is_good(ports.clock.now()):
        raise LinkOver(merchant)
    return merchant, link


def open_portal(ports: Ports, slug: str, link_id: str, secret: str) -> Opened:
    """Use a link up, and open a session with it. Raises NotFound, and LinkOver, also for who lost the race for it."""

    def attempt() -> Opened:
        merchant, link = find_link(ports, slug, link_id, secret)
        customer = customer_of(ports, merchant.id, link.email)
        if customer is None:
            # The address is another's by now, and this link was mailed to whoever had it before.
            raise LinkOver(merchant)
        now, own_secret = ports.clock.now(), ports.ids.secret()
        session = PortalSession(
            id=ports.ids.new("psn", now),
            merchant_id=merchant.id,
            customer_id=customer.id,
            secret_hash=hash_of(own_secret),
            created_at=now,
            expires_at=now + SESSION_LIFE,
        )
        commit(ports, [Update(replace(link, used_at=now)), Insert(session)])
        return Opened(merchant, written(session), own_secret, link.place)

    return until_won(ports, attempt)


def find_visit(ports: Ports, slug: str, session_id: str, secret: str) -> Visit | None:
    """Who a browser's cookie says is signed in, if they are."""
    merchant, session = ports.records.find_many([(Merchant, f"mer_{slug}"), (PortalSession, session_id)])
    if merchant is None or session is None or session.merchant_id != merchant.id:
        return None
    if not is_secret(secret, session.secret_hash) or not session.is_open(ports.clock.now()):
        return None
    customer = ports.records.find(Customer, session.customer_id)
    return None if customer is None or customer.merchant_id != merchant.id else Visit(merchant, session, customer)


def sign_out(ports: Ports, session_id: str) -> None:
    """End a session for good. Doing it again changes nothing."""

    def attempt() -> None:
        session = ports.records.get(PortalSession, session_id)
        if session.ended_at is None:
            commit(ports, [Update(replace(session, ended_at=ports.clock.now()))])

    until_won(ports, attempt)


def customer_of(ports: Ports, merchant_id: str, email: str) -> Customer | None:
    """The merchant's customer whose address this is today."""
    row = ports.records.find(CustomerByEmail, customer_by_email_id(merchant_id, email))
    customer = None if row is None else ports.records.find(Customer, row.customer_id)
    # An address that a customer has given up leads to them still, for payments; it signs nobody in.
    same = customer is not None and normalise_email(customer.email) == normalise_email(email)
    return customer if same else None


def _link(
    ports: Ports,
    merchant_id: str,
    email: str,
    now: datetime,
    expires_at: datetime,
    place: str | None,
    secret_of: SecretOf,
) -> SignInLink:
    link_id = ports.ids.new("slnk", now)
    return SignInLink(link_id, merchant_id, email, hash_of(secret_of(link_id)), now, expires_at, place)


def _mailed(link: SignInLink, now: datetime) -> tuple[Timer, list[Write]]:
    mail = new_mail(MailKind.SIGN_IN, link.merchant_id, link.email, link.id, what=f"sign-in#{link.id}", now=now)
    return mail_timer(mail), posted(mail)


def _count_of(counted: SignIns | None, now: datetime) -> int:
    return 0 if counted is None or now >= counted.expires_at else counted.count


def _one_more(counted: SignIns | None, where: str, merchant_id: str, now: datetime) -> Write:
    if counted is None:
        return Insert(SignIns(where, merchant_id, since=now, created_at=now, count=1))
    if now >= counted.expires_at:
        return Update(replace(counted, since=now, count=1))
    return Update(replace(counted, count=counted.count + 1))
