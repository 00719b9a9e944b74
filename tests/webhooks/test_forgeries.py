"""Who may knock: only Stripe, about now, to this destination. Everybody else is told 400 and leaves nothing behind."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from chalicelib.domain.documents.intake import StripeEvent
from chalicelib.domain.documents.merchants import Merchant
from chalicelib.services.merchants import create_merchant
from chalicelib.services.ports import Update
from chalicelib.services.saving import commit
from tests.services.shop import ACCOUNT
from tests.webhooks.hooks import OTHER_SECRET, PATH, SECRET, Door, event, signature


def told(door: Door) -> dict[str, object]:
    """The event of the shop's one payment."""
    return event(door.shop.stripe.intents()[0], "payment_intent.succeeded")


def raw(door: Door) -> bytes:
    return json.dumps(told(door), indent=2).encode()


def now(door: Door) -> int:
    return int(door.shop.clock.now().timestamp())


def assert_refused(door: Door, body: bytes, header: str | None, path: str = PATH) -> None:
    """400, nothing stored, nothing asked of Stripe."""
    before, calls = door.contents(), len(door.shop.stripe.calls)
    headers = {"Content-Type": "application/json"} | ({} if header is None else {"Stripe-Signature": header})
    assert door.knock(body, headers, path).status == 400
    assert door.contents() == before
    assert len(door.shop.stripe.calls) == calls


def test_a_true_event_is_applied_and_acknowledged(door: Door) -> None:
    assert door.send(told(door)) == 200
    assert [row.state for row in door.shop.store.all(StripeEvent)] == ["done"]
    assert [payment.status for payment in door.shop.payments()] == ["succeeded"]


def test_a_forged_signature_is_refused(door: Door) -> None:
    assert_refused(door, raw(door), signature(raw(door), now(door), "whsec_of_somebody_else"))


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body.replace(b"payment_intent.succeeded", b"payment_intent.canceled"),
        lambda body: body[:-1],
        lambda body: body + b"\n",
        lambda body: b" " + body,
        lambda body: json.dumps(json.loads(body)).encode(),
        lambda body: json.dumps(json.loads(body), indent=2, sort_keys=True).encode(),
        lambda body: body.replace(b"\n", b"\r\n"),
        lambda body: b"\xef\xbb\xbf" + body,
        lambda body: b"",
    ],
)
def test_what_was_changed_or_written_anew_after_signing_is_refused(door: Door, change: object) -> None:
    body = raw(door)
    assert_refused(door, change(body), signature(body, now(door), SECRET))  # type: ignore[operator]


@pytest.mark.parametrize("late", [301, -301, 3_600, -3_600, 10**9])
def test_an_old_or_future_signature_is_refused(door: Door, late: int) -> None:
    assert_refused(door, raw(door), signature(raw(door), now(door) - late, SECRET))


@pytest.mark.parametrize("late", [300, -300, 0])
def test_within_five_minutes_either_way_it_is_taken(door: Door, late: int) -> None:
    assert door.send(told(door), late=late) == 200
    assert len(door.shop.payments()) == 1


def test_a_signature_made_with_another_time_is_refused(door: Door) -> None:
    header = signature(raw(door), now(door) - 10_000, SECRET)
    assert_refused(door, raw(door), header.replace(f"t={now(door) - 10_000}", f"t={now(door)}"))


GOOD = "0" * 64
HEADERS = [
    "", " ", ",", "=", "t", "t=", "v1", "v1=", "t=,v1=", "t=now,v1=" + GOOD, "t=1.5,v1=" + GOOD, "t=-1,v1=" + GOOD,
    "t=1e9,v1=" + GOOD, "t=" + "9" * 12 + ",v1=" + GOOD, "t=" + "9" * 4000 + ",v1=" + GOOD, "t=0,v1=" + GOOD,
    "v1=" + GOOD, "t={now}", "t={now},v1=", "t={now},v1=" + GOOD, "t={now},v1=" + GOOD[:-1], "t={now},v1=" + GOOD + "0",
    "t={now},v1={good}0", "t={now},v1={GOOD}", "t={now},v0={good}", "t={now},v2={good}", "t={now};v1={good}",
    "t={now} v1={good}", "t={now},t={now},v1={good}", "t=1,t={now},v1={good}", "T={now},V1={good}", "{good}",
    "t={now},v1=\u00e9" + GOOD, "t=\u0661\u0662,v1=" + GOOD, "t={now},v1={good},junk", "t={now},v1={good},",
    "t={now},v1=" + "0" * 5000, ",".join(["v1=" + GOOD] * 60) + ",t={now},v1={good}", "Bearer {good}",
    "t={now},v1=0x{good}", "null", "[]", "{{}}", "t={now}\tv1={good}",
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(HEADERS)))
def test_a_malformed_header_is_refused(door: Door, number: int) -> None:
    body = raw(door)
    good = signature(body, now(door), SECRET).partition("v1=")[2]
    header = HEADERS[number].replace("{now}", str(now(door))).replace("{good}", good).replace("{GOOD}", good.upper())
    # http.client writes Latin-1, so what is no Latin-1 goes as the bytes of UTF-8.
    assert_refused(door, body, header.encode().decode("latin-1"))


def test_no_header_is_refused(door: Door) -> None:
    assert_refused(door, raw(door), None)


def test_order_spaces_and_other_schemes_in_a_true_header_do_no_harm(door: Door) -> None:
    body = raw(door)
    time, _, value = signature(body, now(door), SECRET).partition(",")
    headers = {"Stripe-Signature": f"v0={GOOD},{value},{time},v1={GOOD}"}
    assert door.knock(body, headers).status == 200
    assert len(door.shop.payments()) == 1


# --- rotation ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("secret", [SECRET, OTHER_SECRET])
def test_while_a_secret_is_rotated_both_are_good(door: Door, secret: str) -> None:
    assert door.send(told(door), secret=secret) == 200
    assert len(door.shop.payments()) == 1


def test_stripe_signs_with_both_secrets_during_a_rotation(door: Door) -> None:
    body = raw(door)
    door.configure(stripe_webhook_secrets=(OTHER_SECRET,))
    headers = {"Stripe-Signature": signature(body, now(door), SECRET, OTHER_SECRET)}
    assert door.knock(body, headers).status == 200
    assert len(door.shop.payments()) == 1


def test_a_secret_that_was_taken_out_is_no_longer_good(door: Door) -> None:
    door.configure(stripe_webhook_secrets=(OTHER_SECRET,))
    assert_refused(door, raw(door), signature(raw(door), now(door), SECRET))


# --- signed by Stripe, and yet not ours -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"account": "acct_somebody"},
        {"account": None},
        {"livemode": True},
        {"type": "payout.paid"},
        {"type": "charge.succeeded"},
        {"data": {"object": {"id": "pi_theirs", "object": "payment_intent", "metadata": {}}}},
        {"data": {"object": {"id": "pi_theirs", "metadata": {"till_merchant": "mer_pinewood"}}}},
        {"data": {"object": {}}},
        {"data": {"object": {"id": 7}}},
    ],
)
def test_an_event_that_is_not_ours_is_acknowledged_and_leaves_nothing(door: Door, changes: dict[str, object]) -> None:
    before, calls = door.contents(), len(door.shop.stripe.calls)
    assert door.send(told(door) | changes) == 200
    assert door.contents() == before
    assert len(door.shop.stripe.calls) == calls


def test_another_merchants_account_cannot_tell_of_this_ones_payment(door: Door) -> None:
    shop = door.shop
    create_merchant(shop.ports, name="Other", timezone="UTC", currency="usd", stripe_account="acct_other", ready=True)
    before = door.contents()
    forged = told(door) | {"account": "acct_other"}
    assert door.send(forged) == 200
    assert door.contents() == before


# --- the path of a direct merchant ------------------------------------------------------------------------------------


def direct(door: Door) -> str:
    """Make the shop's merchant the one on the deployment's own account; its path."""
    shop = door.shop
    merchant = shop.store.get(Merchant, shop.merchant.id)
    commit(shop.ports, [Update(replace(merchant, stripe_account=None))])
    shop.stripe.fail("confirm_with_token", effect=True)
    shop.press(shop.buyer(shop.one_time, confirmation_token=shop.stripe.confirmation_token("pm_card_visa", None)))
    door.configure(direct_merchant=merchant.id)
    return f"{PATH}/{merchant.id}"


def test_the_direct_merchants_path_takes_events_of_the_own_account(door: Door) -> None:
    path = direct(door)
    own = event(door.shop.stripe.intents()[-1], "payment_intent.succeeded", account=None)
    assert door.send(own, path=path) == 200
    assert [payment.intent_id for payment in door.shop.payments()] == [door.shop.stripe.intents()[-1].id]
    assert [payment.stripe_account for payment in door.shop.payments()] == [None]


@pytest.mark.parametrize("account", [ACCOUNT, "acct_other"])
def test_the_direct_merchants_path_takes_nothing_of_connected_accounts(door: Door, account: str) -> None:
    path = direct(door)
    before = door.contents()
    theirs = event(door.shop.stripe.intents()[-1], "payment_intent.succeeded", account=account)
    assert door.send(theirs, path=path) == 200
    assert door.contents() == before


def test_the_platforms_path_takes_nothing_of_the_direct_merchant(door: Door) -> None:
    direct(door)
    before = door.contents()
    own = event(door.shop.stripe.intents()[-1], "payment_intent.succeeded", account=None)
    assert door.send(own) == 200
    assert door.contents() == before


@pytest.mark.parametrize("merchant", ["mer_other", "mer_", "%00", "mer_pinewood%2F..", "x" * 500])
def test_a_path_of_anybody_else_does_not_exist(door: Door, merchant: str) -> None:
    direct(door)
    before = door.contents()
    assert door.send(told(door), path=f"{PATH}/{merchant}") == 404
    assert door.contents() == before


def test_a_direct_path_asks_for_a_signature_too(door: Door) -> None:
    path = direct(door)
    assert_refused(door, raw(door), signature(raw(door), now(door), "whsec_of_somebody_else"), path)
