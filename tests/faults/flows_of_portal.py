"""What buyers do in the portal: sign in and out, look, and put another card in the place of one that no longer pays."""

from __future__ import annotations

from contextlib import suppress

from chalicelib.domain.documents.customers import Customer, CustomerByEmail, customer_by_email_id
from chalicelib.domain.documents.mails import Mail, MailState
from chalicelib.domain.documents.portal import LINK_LIFE, MethodChange, PortalSession, SignInLink, hash_of
from chalicelib.handlers.portal_access import link_secret
from chalicelib.services.checkouts.submit import Ending
from chalicelib.services.portal.changing_method import (
    ChangeMethod,
    change_method,
    open_method_page,
    resolve_change,
)
from chalicelib.services.portal.signing_in import (
    LinkOver,
    Visit,
    ask_for_link,
    customer_of,
    find_visit,
    open_portal,
    send_method_link,
    sign_out,
)
from chalicelib.services.portal.viewing import one_subscription, overview
from chalicelib.services.ports import Insert
from chalicelib.services.saving import commit
from infra.local.faults import Fault, FaultKind
from tests.faults import steps
from tests.faults.flows_of_clock import declines, paid_twice, unpaid
from tests.faults.matrix import Flow, Step
from tests.faults.shop import Case, Shop

CONFIRM = "POST /v1/setup_intents/{id}/confirm"


def _email(case: Case) -> str:
    assert case.form is not None
    return case.form.email


def _secret_of(shop: Shop, link_id: str) -> str:
    return link_secret(shop.world.settings.form_secret, link_id)


def _visit(shop: Shop, case: Case) -> Visit:
    """The case's buyer, signed in; the session itself is no part of what is stopped here."""
    records, now = shop.world.ports.records, shop.world.clock.now()
    row = records.get(CustomerByEmail, customer_by_email_id(shop.merchant.id, _email(case)))
    session = PortalSession("psn_0", shop.merchant.id, row.customer_id, "", now, now)
    return Visit(shop.merchant, session, records.get(Customer, row.customer_id))


# --- another card


def _opens_the_page(shop: Shop, case: Case) -> None:
    case.change_id = shop.world.ports.ids.new("mchg", shop.world.clock.now())
    shop.another_card(case)


def _press(shop: Shop, case: Case) -> Ending:
    assert case.form is not None
    request = ChangeMethod(
        subscription_id=case.subscription_id,
        change_id=case.change_id,
        confirmation_token=case.form.confirmation_token,
        return_url="https://till.example/return/x",
        consent_words=lambda page: "agreed to another card",
        as_shown=lambda page: True,
        address="203.0.113.9",
        source=f"address {case.number}",
    )
    return change_method(shop.world.ports, _visit(shop, case), request).ending


def _store(shop: Shop, case: Case) -> None:
    _press(shop, case)


def _store_again(shop: Shop, case: Case) -> None:
    """The buyer presses once more with a card entered anew; a page that is too old is opened anew."""

    def again() -> None:
        if _press(shop, case) is Ending.TIMED_OUT:
            _opens_the_page(shop, case)
            _press(shop, case)

    shop.another_card(case)
    shop.come_again(again)


def _is_stored(shop: Shop, case: Case) -> None:
    """The new card is the subscription's, with what was agreed to."""
    kept = shop.subscription(case)
    assert kept.consent is not None
    assert kept.consent.text == "agreed to another card", f"case {case.number} keeps the old card"
    [owner] = [
        each
        for each in shop.world.at_stripe("setup_intent")
        if kept.method is not None and each["payment_method"] == kept.method.payment_method_id
    ]
    assert owner["status"] == "succeeded"
    assert owner["customer"] == kept.method.stripe_customer_id if kept.method is not None else None


def _is_charged(shop: Shop, case: Case) -> None:
    _is_stored(shop, case)
    paid_twice(shop, case)
    assert shop.subscription(case).status == "active"


def _stored_and_dead(shop: Shop, case: Case) -> None:
    """Stripe has stored the card, and the request died before it heard of that."""
    _opens_the_page(shop, case)
    assert not shop.live(lambda: _press(shop, case), Fault("stripe", CONFIRM, FaultKind.KILL, effect=True))


def _news_of_the_card(shop: Shop, case: Case) -> None:
    _stored_and_dead(shop, case)
    shop.world.sandbox.deliver_due()
    change = shop.world.ports.records.get(MethodChange, case.change_id)
    case.notice = shop.event_of("setup_intent.succeeded", change.part.intent_id or "")


def _known_before(shop: Shop, case: Case) -> None:
    _news_of_the_card(shop, case)
    _return_page(shop, case)


def _declined_first(shop: Shop, case: Case) -> None:
    """The first card of the page was declined."""
    _opens_the_page(shop, case)
    shop.another_card(case, "pm_card_chargeDeclined")
    assert _press(shop, case) is Ending.DECLINED
    shop.another_card(case)


def _not_confirmed(shop: Shop, case: Case) -> None:
    """The intent's id is saved, the request died before the confirm, and a few minutes have passed."""
    _opens_the_page(shop, case)
    assert not shop.live(lambda: _press(shop, case), Fault("stripe", CONFIRM, FaultKind.KILL, effect=False))


def _return_page(shop: Shop, case: Case) -> None:
    page = open_method_page(shop.world.ports, _visit(shop, case), case.subscription_id, case.change_id)
    if page.change is not None:
        resolve_change(shop.world.ports, shop.merchant, page.change)


def _return_page_again(shop: Shop, case: Case) -> None:
    shop.come_again(lambda: _return_page(shop, case))


# --- in and out


def _ask(shop: Shop, case: Case) -> None:
    ask_for_link(
        shop.world.ports,
        shop.merchant.id,
        _email(case),
        source=f"address {case.number}",
        place=None,
        secret_of=lambda link_id: _secret_of(shop, link_id),
    )


def _ask_again(shop: Shop, case: Case) -> None:
    shop.come_again(lambda: _ask(shop, case))


def _a_link_came(shop: Shop, case: Case) -> None:
    """Each link that was made was mailed, or had grown old by then."""
    mails = [each for each in shop.world.inspection.records() if isinstance(each, Mail) and each.kind == "sign_in"]
    mine = [each for each in mails if each.to == _email(case)]
    assert mine, f"case {case.number} has no link"
    for mail in mine:
        link = shop.world.ports.records.get(SignInLink, mail.about_id)
        assert mail.state is MailState.SENT or link.expires_at <= shop.world.clock.now()


def _has_a_link(shop: Shop, case: Case) -> None:
    now = shop.world.clock.now()
    case.link_id = shop.world.ports.ids.new("slnk", now)
    made = SignInLink(
        case.link_id, shop.merchant.id, _email(case), hash_of(_secret_of(shop, case.link_id)), now, now + LINK_LIFE
    )
    commit(shop.world.ports, [Insert(made)])


def _enter(shop: Shop, case: Case) -> None:
    open_portal(shop.world.ports, "pinewood", case.link_id, _secret_of(shop, case.link_id))


def _enter_again(shop: Shop, case: Case) -> None:
    def again() -> None:
        with suppress(LinkOver):
            _enter(shop, case)

    shop.come_again(again)


def _entered_once_at_most(shop: Shop, case: Case) -> None:
    """A link that was used opened one session, and one that was not, none."""
    link = shop.world.ports.records.get(SignInLink, case.link_id)
    customer = customer_of(shop.world.ports, shop.merchant.id, _email(case))
    assert customer is not None
    records = shop.world.inspection.records()
    sessions = [each for each in records if isinstance(each, PortalSession) and each.customer_id == customer.id]
    assert len(sessions) == (link.used_at is not None)


def _is_inside(shop: Shop, case: Case) -> None:
    _has_a_link(shop, case)
    opened = open_portal(shop.world.ports, "pinewood", case.link_id, _secret_of(shop, case.link_id))
    case.secret, case.link_id = opened.secret, opened.session.id


def _leave(shop: Shop, case: Case) -> None:
    sign_out(shop.world.ports, case.link_id)


def _leave_again(shop: Shop, case: Case) -> None:
    shop.come_again(lambda: _leave(shop, case))


def _is_outside(shop: Shop, case: Case) -> None:
    assert find_visit(shop.world.ports, "pinewood", case.link_id, case.secret) is None


def _look(shop: Shop, case: Case) -> None:
    ports = shop.world.ports
    visit = find_visit(ports, "pinewood", case.link_id, case.secret)
    if visit is not None:
        overview(ports, visit)
        one_subscription(ports, visit, case.subscription_id)


def _send(shop: Shop, case: Case) -> None:
    case.link_id = f"slnk_{case.number:026d}"
    send_method_link(
        shop.world.ports,
        shop.merchant.id,
        case.subscription_id,
        link_id=case.link_id,
        secret_of=lambda link_id: _secret_of(shop, link_id),
    )


def _send_again(shop: Shop, case: Case) -> None:
    shop.come_again(lambda: _send(shop, case))


def _owing(name: str, run: Step, ready: Step, again: Step, *, whole: bool = False, told: bool = False) -> Flow:
    """A flow of a subscription whose renewal was declined, and that is paid up in the end."""
    return Flow(
        name,
        declines,
        run,
        later=unpaid,
        ready=(ready,),
        again=again,
        soon=_is_stored,
        ends=_is_charged,
        whole=whole,
        always_told=told,
    )


FLOWS = (
    _owing("another card", _store, _opens_the_page, _store_again, whole=True),
    _owing("another card, the first declined", _store, _declined_first, _store_again),
    _owing("another card, not confirmed", _return_page, _not_confirmed, _store_again),
    _owing("another card, return page", _return_page, _stored_and_dead, _return_page_again),
    _owing("webhook of another card", steps.take_in, _news_of_the_card, steps.tell_again, whole=True, told=True),
    _owing("webhook of another card known before", steps.take_in, _known_before, steps.tell_again),
    Flow("sign-in link asked for", Shop.subscribe, _ask, again=_ask_again, ends=_a_link_came),
    Flow(
        "sign-in link used",
        Shop.subscribe,
        _enter,
        ready=(_has_a_link,),
        again=_enter_again,
        ends=_entered_once_at_most,
    ),
    Flow(
        "sign out", Shop.subscribe, _leave, ready=(_is_inside,), again=_leave_again, soon=_is_outside, ends=_is_outside
    ),
    Flow("portal looked at", declines, _look, later=unpaid, ready=(_is_inside,)),
    Flow("method link sent", Shop.subscribe, _send, again=_send_again, ends=_a_link_came),
)
