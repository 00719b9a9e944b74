"""A buyer pays while Stripe is in trouble: charged once or not at all, and never told a decline that was none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chalicelib.domain.documents.checkouts import Checkout
from chalicelib.domain.documents.parts import AttemptOutcome
from chalicelib.services.checkouts.outcomes import resolve
from chalicelib.services.checkouts.submit import Ending, Submit
from chalicelib.services.ports import ProviderRefused
from tests.gateways.stripe_worlds import SECRET_KEY
from tests.trouble.troubled_shop import CONFIRM, CREATE, CUSTOMER, OTHER_KEY, RETRIEVE, TroubledShop

HICCUPS = [(409, False), (429, False), (500, False), (500, True), (503, False), (None, False), (None, True)]
"""Status (None loses the answer), and whether Stripe acted."""


def press_until_told(shop: TroubledShop, form: Submit) -> list[Ending]:
    """Press; where the page says that it is checking, look again after a minute and press if the form is back."""
    endings = [shop.press(form).ending]
    for _ in range(3):
        if endings[-1] is Ending.PAID:
            break
        shop.after(seconds=61)
        endings.append(shop.press(replace(form, confirmation_token=shop.token())).ending)
    return endings


def the_checkout(shop: TroubledShop) -> Checkout:
    [checkout] = shop.store.all(Checkout)
    return checkout


@pytest.mark.parametrize(("status", "effect"), HICCUPS)
@pytest.mark.parametrize("operation", [CUSTOMER, CREATE, CONFIRM])
def test_one_hiccup_anywhere_on_the_way_charges_once_and_is_no_decline(
    shop: TroubledShop, operation: str, status: int | None, effect: bool
) -> None:
    shop.trouble(operation, status, effect=effect)
    endings = press_until_told(shop, shop.buyer(shop.one_time))
    assert endings[-1] is Ending.PAID
    assert set(endings) <= {Ending.PAID, Ending.CHECKING}
    # Only a confirm that Stripe itself failed leaves anything open: all else is made good within the one press.
    assert len(endings) == (2 if (operation, status) in ((CONFIRM, 500), (CONFIRM, 503)) else 1)
    assert len(shop.charged()) == 1
    assert len(shop.sandbox.listing("payment_intents")) == 1
    shop.assert_books_are_stripes()


@pytest.mark.parametrize("effect", [False, True])
@pytest.mark.parametrize("status", [500, None])
def test_while_stripe_stays_silent_the_buyer_is_told_that_we_are_checking(
    shop: TroubledShop, status: int | None, effect: bool
) -> None:
    form = shop.buyer(shop.one_time)
    shop.trouble(CONFIRM, status, effect=effect, times=1_000)
    shop.trouble(RETRIEVE, status, times=1_000)
    for _ in range(3):
        assert shop.press(form).ending is Ending.CHECKING
        shop.after(minutes=30)
    # Unknown stays unknown until Stripe has been asked, so no other try began.
    assert [attempt.outcome for attempt in the_checkout(shop).part.attempts] == [AttemptOutcome.CLAIMED]
    assert len({call["idempotency_key"] for call in shop.calls_to("/confirm")}) == 1
    shop.sandbox.behave()
    assert press_until_told(shop, replace(form, confirmation_token=shop.token()))[-1] is Ending.PAID
    assert len(shop.charged()) == 1
    shop.assert_books_are_stripes()


@pytest.mark.parametrize("effect", [False, True])
def test_a_buyer_who_only_waits_is_told_the_truth_when_stripe_is_back(shop: TroubledShop, effect: bool) -> None:
    shop.trouble(CONFIRM, None, effect=effect, times=1_000)
    assert shop.press(shop.buyer(shop.one_time)).ending is Ending.CHECKING
    shop.sandbox.behave()
    shop.after(seconds=61)
    after = resolve(shop.ports, shop.merchant, the_checkout(shop), actor="buyer")
    assert after.status == ("completed" if effect else "open")
    assert not after.part.in_doubt
    assert len(shop.charged()) == effect
    shop.assert_books_are_stripes()


@pytest.mark.parametrize("operation", [CUSTOMER, CREATE, CONFIRM])
def test_a_busy_stripe_did_nothing_and_uses_up_no_try(shop: TroubledShop, operation: str) -> None:
    form = shop.buyer(shop.one_time)
    for _ in range(12):
        shop.trouble(operation, 429, times=4)
        done = shop.press(replace(form, confirmation_token=shop.token()))
        assert (done.ending, done.decline and done.decline.code) == (Ending.DECLINED, "not_started")
        assert {attempt.outcome for attempt in the_checkout(shop).part.attempts} == {AttemptOutcome.ABANDONED}
    assert shop.charged() == []
    assert shop.press(replace(form, confirmation_token=shop.token())).ending is Ending.PAID
    assert len(shop.charged()) == 1
    shop.assert_books_are_stripes()


@pytest.mark.parametrize("status", [409, 429])
def test_a_busy_stripe_that_cannot_say_how_the_last_try_ended_is_being_asked_and_no_error(
    shop: TroubledShop, status: int
) -> None:
    form = shop.buyer(shop.one_time)
    shop.trouble(CONFIRM, None, effect=True, times=4)
    assert shop.press(form).ending is Ending.CHECKING
    shop.after(minutes=2)
    shop.trouble(RETRIEVE, status, times=4)
    assert shop.press(form).ending is Ending.CHECKING
    assert shop.press(form).ending is Ending.PAID
    assert len(shop.charged()) == 1
    shop.assert_books_are_stripes()


def test_a_revoked_key_charges_nobody_uses_up_nothing_and_is_no_decline(shop: TroubledShop) -> None:
    form = shop.buyer(shop.one_time)
    shop.use_key(OTHER_KEY)
    with pytest.raises(ProviderRefused, match="api_key"):
        shop.press(form)
    assert the_checkout(shop).part.attempts[0].outcome is AttemptOutcome.ABANDONED
    assert shop.sandbox.listing("customers") == []
    shop.use_key(SECRET_KEY)
    assert shop.press(replace(form, confirmation_token=shop.token())).ending is Ending.PAID
    assert len(shop.charged()) == 1
    shop.assert_books_are_stripes()


def test_a_key_revoked_after_a_lost_answer_leaves_the_outcome_unknown(shop: TroubledShop) -> None:
    form = shop.buyer(shop.one_time)
    shop.trouble(CONFIRM, None, effect=True, times=4)
    assert shop.press(form).ending is Ending.CHECKING
    shop.use_key(OTHER_KEY)
    shop.after(hours=1)
    with pytest.raises(ProviderRefused, match="api_key"):
        shop.press(form)
    assert the_checkout(shop).part.in_doubt
    shop.use_key(SECRET_KEY)
    assert shop.press(form).ending is Ending.PAID
    assert len(shop.charged()) == 1
    shop.assert_books_are_stripes()


def test_an_expiring_checkout_whose_money_came_all_the_same_is_booked_when_stripe_is_back(shop: TroubledShop) -> None:
    shop.trouble(CONFIRM, None, effect=True, times=4)
    assert shop.press(shop.buyer(shop.one_time)).ending is Ending.CHECKING
    shop.trouble("POST /v1/payment_intents/{id}/cancel", 500, times=8)
    shop.until(the_checkout(shop).expires_at)
    shop.sandbox.behave()
    shop.after(hours=1)
    shop.settle()
    assert the_checkout(shop).status == "completed"
    shop.assert_books_are_stripes()
