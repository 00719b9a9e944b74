"""Buyers at the portal's doors: they ask for a link, find it in their mail, and press its button."""

from __future__ import annotations

import re
from dataclasses import dataclass

from chalicelib.domain.documents.mails import Mail
from chalicelib.domain.documents.portal import MethodChange, SignInLink
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.ids import body_of
from chalicelib.handlers.mail_composer import compose
from tests.doors.visitors import BASE, Answer, Visitors

PORTAL = "/portal/pinewood"


@dataclass
class Buyer:
    """One browser at the portal; `cookie` is what it holds once it is signed in."""

    visitors: Visitors
    cookie: str = ""

    def get(self, path: str, **headers: str) -> Answer:
        return self.visitors.send("GET", path, headers=self._with(headers))

    def post(self, path: str, fields: dict[str, str], **headers: str) -> Answer:
        return self.visitors.send("POST", path, fields, headers=self._with(headers))

    def press(self, page: str, action: str, **fields: str) -> Answer:
        """Open a page and send the form of it that leads to an address."""
        return self.post(action, {"form_token": form_token(self.get(page), action), **fields})

    def _with(self, headers: dict[str, str]) -> dict[str, str]:
        return {**({"Cookie": self.cookie} if self.cookie else {}), **headers}

    def ask(self, email: str = "anna@example.com", portal: str = PORTAL) -> Answer:
        """Have a link mailed."""
        return self.press(portal, portal, email=email)

    def sign_in(self, email: str = "anna@example.com", portal: str = PORTAL) -> Answer:
        """The whole way: the link that came by mail, and its button."""
        assert self.ask(email, portal).status == 303
        opened = self.press(newest_link(self.visitors), newest_link(self.visitors))
        assert opened.status == 303
        self.cookie = opened.cookie
        return opened


def newest_link(visitors: Visitors) -> str:
    """The address in the mail that was asked for last."""
    link = max(visitors.shop.store.all(SignInLink), key=lambda each: each.id)
    [mail] = [each for each in visitors.shop.store.all(Mail) if each.about_id == link.id]
    written = compose(visitors.shop.ports, mail)
    assert written is not None
    found = re.search(rf"{BASE}(/portal/\S+/open/\S+)", written.text)
    assert found is not None
    return found[1]


def form_token(page: Answer, action: str) -> str:
    """The token of the form on a page that is sent to an address."""
    pattern = rf'action="(?:{BASE})?{re.escape(action)}".*?name="form_token" value="([^"]*)"'
    found = re.search(pattern, page.text, re.DOTALL)
    assert found is not None, (action, page.status, page.text)
    return found[1]


def own(subscription: Subscription, more: str = "") -> str:
    """A subscription's page in the portal."""
    return f"{PORTAL}/subscriptions/{subscription.id}{more}"


def anna_is_behind(visitors: Visitors) -> Subscription:
    """Anna's subscription, whose renewal was declined."""
    [invoice] = visitors.overdue_invoices()
    return visitors.shop.subscription(invoice.subscription_id or "")


def bobs(visitors: Visitors) -> Subscription:
    """Another customer of the same merchant, with a subscription of their own."""
    shop = visitors.shop
    before = {each.id for each in shop.store.all(Subscription)}
    form = shop.buyer(shop.monthly, email="bob@example.com", name="Bob Miller")
    assert shop.press(form).ending == "paid"
    shop.settle()
    [made] = [each for each in shop.store.all(Subscription) if each.id not in before]
    return made


def change_begun(visitors: Visitors, buyer: Buyer, subscription: Subscription, behaves: str) -> MethodChange:
    """A press of the page that replaces a method; the change that it began."""
    path = own(subscription, "/method")
    page = buyer.get(path)
    sum_ = re.search(r'name="expected_total" value="(\d+)"', page.text)
    assert sum_ is not None
    fields = {
        "form_token": form_token(page, path),
        "email": "anna@example.com",
        "name": "Anna Kowalska",
        "expected_total": sum_[1],
        "confirmation_token": visitors.shop.token(behaves),
    }
    answer = buyer.post(path, fields, Accept="application/json")
    assert answer.status == 200, answer
    return max(visitors.shop.store.all(MethodChange), key=lambda each: each.id)


def waiting(change: MethodChange) -> str:
    """Where a challenge and a lost answer of a change lead."""
    return f"{PORTAL}/subscriptions/{change.subscription_id}/method/{body_of(change.id)}"
