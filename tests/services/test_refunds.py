"""A refund asked for by the merchant: set aside, sent back once, booked once, or released; whatever happens between."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from chalicelib import wiring
from chalicelib.domain.documents.mails import Mail, MailKind
from chalicelib.domain.documents.merchants import ConnectionState
from chalicelib.domain.documents.payments import Payment
from chalicelib.domain.documents.refunds import Refund, RefundOwner
from chalicelib.domain.errors import InvalidValue, StateConflict, TillError
from chalicelib.domain.machines import PaymentStatus
from chalicelib.handlers.mail_composer import compose
from chalicelib.services.ports import MadeStatus, ProviderBusy, ProviderRefused, ProviderUnavailable
from chalicelib.services.refunds.asking import AskedRefund, create_refund
from chalicelib.services.refunds.making import finish_refund
from tests.handlers.conftest import SETTINGS
from tests.services.shop import ACCOUNT, Shop, usd


class Died(BaseException):
    """The program ends here."""


@pytest.fixture
def shop() -> Shop:
    return Shop()


def state(shop: Shop, payment: Payment) -> tuple[str, int, int, int]:
    """The payment's status, what is set aside and gone of it, and what its invoice says is paid."""
    now = shop.payment(payment.id)
    return str(now.status), now.set_aside.minor, now.gone_back.minor, shop.invoice_of(payment).paid.minor


def at_stripe(shop: Shop) -> list[tuple[int, str]]:
    """Every refund that Stripe has, oldest first."""
    return [(made.amount.minor, str(made.status)) for made in shop.stripe.refunds.of_account(ACCOUNT)]


def happened(shop: Shop) -> list[str]:
    """What was told of refunds, oldest first."""
    return [type_ for type_ in shop.event_types() if type_.startswith("refund.")]


def creates(shop: Shop) -> list[str | None]:
    """The keys under which Stripe was asked to refund, in order."""
    return [call.key for call in shop.stripe.calls_of("create_refund")]


# --- what works


def test_a_part_and_then_the_rest(shop: Shop) -> None:
    payment = shop.pay()
    first = shop.refund(payment, 4_800)
    assert (first.status, first.amount, first.look_at) == ("succeeded", usd(4_800), None)
    assert state(shop, payment) == ("partially_refunded", 0, 4_800, 10_000)
    rest = shop.refund(payment)
    assert rest.amount == usd(10_000)
    assert state(shop, payment) == ("refunded", 0, 14_800, 0)
    invoice = shop.invoice_of(payment)
    assert (invoice.status, invoice.amount_due) == ("paid", usd(0))
    assert at_stripe(shop) == [(4_800, "succeeded"), (10_000, "succeeded")]
    assert happened(shop) == ["refund.created", "refund.succeeded"] * 2
    assert shop.store.timers == [] or all(timer.kind != "finish_refund" for timer in shop.store.timers)


def test_what_stripe_is_asked_names_the_refund_and_comes_from_our_records(shop: Shop) -> None:
    payment = shop.pay()
    refund = shop.refund(payment, 100)
    [call] = shop.stripe.calls_of("create_refund")
    request = call.arguments["request"]
    assert (call.account, call.key) == (ACCOUNT, f"refund-{refund.id}-1")
    assert (request.intent_id, request.amount, request.reason) == (payment.intent_id, usd(100), "requested_by_customer")
    assert request.metadata == {"till_merchant": "mer_pinewood", "till_refund": refund.id}
    assert (refund.stripe_refund_id or "").startswith("re_")
    assert [owner.id for owner in shop.store.all(RefundOwner)] == [f"refund#{refund.stripe_refund_id}"]


def test_the_events_tell_of_refund_payment_and_invoice(shop: Shop) -> None:
    payment = shop.pay()
    refund = shop.refund(payment, 4_800)
    events, _ = shop.store.events(shop.merchant.id, limit=100)
    created, succeeded = (
        next(each for each in events if each.type == f"refund.{what}") for what in ("created", "succeeded")
    )
    assert (created.actor, created.object_id) == ("api:test", refund.id)
    assert created.data["object"]["status"] == "pending"
    assert created.data["payment"]["status"] == "processing_refund"
    assert succeeded.data["object"] == {
        "id": refund.id,
        "object": "refund",
        "status": "succeeded",
        "payment": payment.id,
        "invoice": payment.invoice_id,
        "customer": payment.customer_id,
        "amount": 4_800,
        "currency": "usd",
        "reason": "requested_by_customer",
        "failure_reason": None,
    }
    assert succeeded.data["previous"] == {"status": "pending"}
    assert (succeeded.data["payment"]["status"], succeeded.data["payment"]["refunded"]) == ("partially_refunded", 4_800)
    assert (succeeded.data["invoice"]["amount_paid"], succeeded.data["invoice"]["amount_due"]) == (10_000, 0)


def test_net_is_what_all_movements_come_to_and_no_fee_comes_back(shop: Shop) -> None:
    payment = shop.pay()
    shop.refund(payment)
    shop.tell(shop.notice("charge.updated", shop.stripe.intents()[0]))
    now = shop.payment(payment.id)
    assert (now.fee, now.net) == (usd(459), usd(-459))
    assert now.settlement is not None
    assert now.settlement.net == usd(14_341)


def test_the_buyer_is_written_to_once_when_the_money_is_on_its_way(shop: Shop) -> None:
    payment = shop.pay("pm_card_pendingRefund")
    refund = shop.refund(payment, 800)
    assert [mail for mail in shop.store.all(Mail) if mail.kind is MailKind.REFUND] == []
    made = shop.stripe.end_refund(refund.stripe_refund_id or "", MadeStatus.SUCCEEDED)
    for number in range(2):
        shop.tell(shop.refund_notice("refund.updated", made, f"evt_{number}"))
    shop.settle()
    [mail] = [mail for mail in shop.store.all(Mail) if mail.kind is MailKind.REFUND]
    assert (mail.to, mail.about_id, mail.state) == ("anna@example.com", refund.id, "sent")
    assert len(shop.mailer.sent) == 2


# --- what is refused


def refused(shop: Shop, payment_id: str, minor: int | None) -> TillError:
    before = dict(shop.store._rows)
    with pytest.raises(TillError) as refusal:
        create_refund(shop.ports, shop.merchant.id, AskedRefund(payment_id, minor), actor="api:test")
    assert dict(shop.store._rows) == before
    return refusal.value


def test_more_than_is_left_is_refused_before_stripe_hears_of_it(shop: Shop) -> None:
    payment = shop.pay()
    shop.refund(payment, 10_000)
    asked = len(creates(shop))
    too_much = refused(shop, payment.id, 4_801)
    assert isinstance(too_much, InvalidValue)
    assert (too_much.code, too_much.param, "4800" in too_much.message) == ("above_maximum", "amount", True)
    shop.refund(payment, 4_800)
    assert isinstance(refused(shop, payment.id, None), StateConflict)
    assert isinstance(refused(shop, payment.id, 1), StateConflict)
    assert len(creates(shop)) == asked + 1


def test_what_is_under_way_counts_as_taken(shop: Shop) -> None:
    payment = shop.pay("pm_card_pendingRefund")
    assert shop.refund(payment, 10_000).status == "pending"
    assert state(shop, payment) == ("processing_refund", 10_000, 0, 14_800)
    assert refused(shop, payment.id, 4_801).code == "above_maximum"
    assert shop.refund(payment, 4_800).status == "pending"
    assert refused(shop, payment.id, None).code == "state_conflict"


def test_another_merchants_payment_is_not_there(shop: Shop) -> None:
    payment = shop.pay()
    with pytest.raises(InvalidValue):
        create_refund(shop.ports, "mer_other", AskedRefund(payment.id), actor="api:test")
    assert refused(shop, "pay_unknown", None).param == "payment"
    assert creates(shop) == []


@pytest.mark.parametrize("status", [PaymentStatus.FAILED, PaymentStatus.PROCESSING, PaymentStatus.DISPUTED_LOST])
def test_money_that_is_not_there_is_not_sent_back(shop: Shop, status: PaymentStatus) -> None:
    payment = shop.pay()
    shop.left_broken = "the payment's status was changed by hand"
    shop.store.overwrite(replace(shop.payment(payment.id), status=status))
    assert refused(shop, payment.id, 100).code == "state_conflict"
    assert creates(shop) == []


@pytest.mark.parametrize("changes", [{"connection": ConnectionState.DISCONNECTED}, {"stripe_account": "acct_new"}])
def test_an_account_that_is_gone_cannot_refund(shop: Shop, changes: dict[str, object]) -> None:
    payment = shop.pay()
    shop.left_broken = "the account was changed by hand"
    merchant = shop.store.get(type(shop.merchant), shop.merchant.id)
    shop.store.overwrite(replace(merchant, **changes))  # type: ignore[arg-type]
    assert refused(shop, payment.id, 100).code == "not_ready_to_transact"
    assert creates(shop) == []


# --- Stripe refuses


def test_what_stripe_refuses_is_released_and_said_to_have_failed(shop: Shop) -> None:
    payment = shop.pay()
    shop.stripe.fail("create_refund", ProviderRefused("charge_disputed", "charged back"))
    refund = shop.refund(payment, 800)
    assert (refund.status, refund.failure_reason, refund.stripe_refund_id) == ("failed", "charge_disputed", None)
    assert state(shop, payment) == ("succeeded", 0, 0, 14_800)
    assert at_stripe(shop) == []
    assert happened(shop) == ["refund.created", "refund.failed"]
    assert [timer for timer in shop.store.timers if timer.kind == "finish_refund"] == []
    assert shop.refund(payment, 800).status == "succeeded"


def test_the_dashboard_was_quicker_so_its_refund_is_booked_and_ours_released(shop: Shop) -> None:
    payment = shop.pay()
    shop.stripe.refund_in_dashboard(ACCOUNT, payment.intent_id, 10_000)
    refund = shop.refund(payment)
    assert (refund.status, refund.failure_reason) == ("failed", "invalid_request_error")
    assert state(shop, payment) == ("partially_refunded", 0, 10_000, 4_800)
    assert at_stripe(shop) == [(10_000, "succeeded")]
    assert shop.refund(payment).amount == usd(4_800)


def test_a_first_request_to_an_account_that_is_gone_is_released_and_refused_again_when_asked_again(shop: Shop) -> None:
    payment = shop.pay()
    shop.stripe.fail("create_refund", ProviderRefused("account_invalid", "no", reached=False))
    refund_id = shop.ids.new("ref", shop.clock.now())
    for _ in range(2):
        with pytest.raises(TillError) as refusal:
            shop.refund(payment, 800, refund_id)
        assert refusal.value.code == "not_ready_to_transact"
    assert state(shop, payment) == ("succeeded", 0, 0, 14_800)
    [refund] = shop.refunds()
    assert (refund.status, refund.failure_reason, len(creates(shop))) == ("failed", "account_invalid", 1)


def test_a_key_of_ours_that_stripe_does_not_take_leaves_the_refund_until_it_is_mended(shop: Shop) -> None:
    payment = shop.pay()
    shop.stripe.fail("create_refund", ProviderRefused("api_key", "revoked", reached=False))
    assert shop.refund(payment, 800).status == "pending"
    assert state(shop, payment) == ("processing_refund", 800, 0, 14_800)
    shop.after(minutes=1)
    shop.settle()
    assert state(shop, payment) == ("partially_refunded", 0, 800, 14_000)


@pytest.mark.parametrize("operation", ["find_refunds", "create_refund"])
def test_a_later_request_turned_away_at_the_door_says_nothing_of_the_first(shop: Shop, operation: str) -> None:
    payment = shop.pay()
    shop.stripe.fail("create_refund", ProviderUnavailable("lost"), effect=operation == "find_refunds")
    refund_id = shop.ids.new("ref", shop.clock.now())
    assert shop.refund(payment, 800, refund_id).status == "pending"
    turned_away = ProviderRefused("api_key", "revoked", reached=False)
    shop.stripe.fail(operation, turned_away, times=2)
    shop.after(minutes=1)
    with pytest.raises(ProviderRefused):
        shop.run()
    # The caller who asks again is told what is known, and no more.
    assert shop.refund(payment, 800, refund_id).status == "pending"
    assert state(shop, payment) == ("processing_refund", 800, 0, 14_800)
    shop.after(minutes=2)
    shop.settle()
    assert state(shop, payment) == ("partially_refunded", 0, 800, 14_000)
    assert at_stripe(shop) == [(800, "succeeded")]


# --- nobody knows


@pytest.mark.parametrize("effect", [True, False])
def test_a_lost_answer_leaves_it_pending_until_stripe_was_asked(shop: Shop, effect: bool) -> None:
    payment = shop.pay()
    shop.stripe.fail("create_refund", ProviderUnavailable("lost"), effect=effect)
    refund = shop.refund(payment, 800)
    assert (refund.status, refund.stripe_refund_id) == ("pending", None)
    assert state(shop, payment) == ("processing_refund", 800, 0, 14_800)
    assert happened(shop) == ["refund.created"]
    assert [each for each in shop.run() if each == "succeeded"] == []
    shop.after(minutes=1)
    shop.settle()
    assert state(shop, payment) == ("partially_refunded", 0, 800, 14_000)
    assert at_stripe(shop) == [(800, "succeeded")]
    assert happened(shop) == ["refund.created", "refund.succeeded"]
    assert len(creates(shop)) == (1 if effect else 2)
    assert len(set(creates(shop))) == 1


@pytest.mark.parametrize("hours", [0, 22, 25, 96])
@pytest.mark.parametrize("effect", [True, False])
def test_a_program_that_died_over_the_call_is_followed_by_one_that_looks_first(
    shop: Shop, effect: bool, hours: int
) -> None:
    payment = shop.pay()
    shop.stripe.fail("create_refund", Died(), effect=effect)
    with pytest.raises(Died):
        shop.refund(payment, 800)
    shop.after(hours=hours, minutes=1)
    shop.settle()
    assert state(shop, payment) == ("partially_refunded", 0, 800, 14_000)
    assert at_stripe(shop) == [(800, "succeeded")]
    assert [refund.status for refund in shop.refunds()] == ["succeeded"]


def test_a_program_that_died_before_it_could_book_is_followed_by_one_that_does(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = shop.pay()
    commit, calls = shop.store.commit, [0]

    def dies(operation_id: str, writes: object) -> None:
        calls[0] += 1
        if calls[0] == 2:
            raise Died
        commit(operation_id, writes)  # type: ignore[arg-type]

    monkeypatch.setattr(shop.store, "commit", dies)
    with pytest.raises(Died):
        shop.refund(payment, 800)
    assert state(shop, payment) == ("processing_refund", 800, 0, 14_800)
    shop.after(hours=25)
    shop.settle()
    assert state(shop, payment) == ("partially_refunded", 0, 800, 14_000)
    assert at_stripe(shop) == [(800, "succeeded")]


@pytest.mark.parametrize("error", [ProviderBusy("429"), ProviderUnavailable("down")])
def test_a_stripe_that_is_busy_or_down_is_asked_again_ever_more_rarely(shop: Shop, error: Exception) -> None:
    payment = shop.pay()
    shop.stripe.fail("create_refund", error, times=4)
    assert shop.refund(payment, 800).status == "pending"
    for minutes in (1, 2, 4):
        shop.after(minutes=minutes)
        shop.settle()
        assert state(shop, payment)[0] == "processing_refund"
    shop.after(minutes=7, seconds=59)
    shop.settle()
    assert len(creates(shop)) == 4
    shop.after(seconds=1)
    shop.settle()
    assert state(shop, payment) == ("partially_refunded", 0, 800, 14_000)
    assert at_stripe(shop) == [(800, "succeeded")]


@pytest.mark.parametrize("effect", [True, False])
def test_a_key_under_which_stripe_failed_is_not_used_again_and_the_list_is_read_first(shop: Shop, effect: bool) -> None:
    payment = shop.pay()
    # Kept under the key: Stripe says so again for a day, whatever it did.
    shop.stripe.fail("create_refund", saved=True)
    refund = shop.refund(payment, 800)
    if effect:
        made = shop.stripe.refunds.make(ACCOUNT, shop.stripe.calls_of("create_refund")[0].arguments["request"])
    shop.after(minutes=1)
    shop.settle()
    shop.after(minutes=10)
    shop.settle()
    assert at_stripe(shop) == [(800, "succeeded")]
    assert state(shop, payment) == ("partially_refunded", 0, 800, 14_000)
    if effect:
        assert shop.refunds()[0].stripe_refund_id == made.id
        assert creates(shop) == [f"refund-{refund.id}-1"]
    else:
        assert creates(shop) == [f"refund-{refund.id}-{number}" for number in (1, 1, 2)]


def test_asking_again_for_the_same_intention_goes_on_with_the_same_refund(shop: Shop) -> None:
    payment = shop.pay()
    refund_id = shop.ids.new("ref", shop.clock.now())
    shop.stripe.fail("create_refund", Died(), effect=True)
    with pytest.raises(Died):
        shop.refund(payment, 800, refund_id)
    again = shop.refund(payment, 800, refund_id)
    assert (again.id, again.status) == (refund_id, "succeeded")
    assert shop.refund(payment, 800, refund_id) == again
    assert at_stripe(shop) == [(800, "succeeded")]
    assert len(shop.refunds()) == len(creates(shop)) == 1


def test_a_timer_that_is_stale_or_early_does_nothing(shop: Shop) -> None:
    payment = shop.pay()
    shop.stripe.fail("create_refund", ProviderUnavailable("lost"))
    refund = shop.refund(payment, 800)
    assert refund.timer is not None
    asked = len(shop.stripe.calls)
    assert finish_refund(shop.ports, refund.timer) == "not due"
    assert finish_refund(shop.ports, replace(refund.timer, due=refund.timer.due - timedelta(seconds=1))) == "stale"
    assert len(shop.stripe.calls) == asked
    shop.after(minutes=1)
    assert finish_refund(shop.ports, refund.timer) == "succeeded"
    assert finish_refund(shop.ports, refund.timer) == "stale"
    assert at_stripe(shop) == [(800, "succeeded")]


# --- later


def test_a_refund_that_pends_is_asked_after_until_it_has_ended(shop: Shop) -> None:
    payment = shop.pay("pm_card_pendingRefund")
    refund = shop.refund(payment, 800)
    shop.after(hours=30)
    shop.settle()
    assert state(shop, payment) == ("processing_refund", 800, 0, 14_800)
    shop.stripe.end_refund(refund.stripe_refund_id or "", MadeStatus.SUCCEEDED)
    shop.after(hours=6)
    shop.settle()
    assert state(shop, payment) == ("partially_refunded", 0, 800, 14_000)
    assert len(creates(shop)) == 1
    assert [timer for timer in shop.store.timers if timer.kind == "finish_refund"] == []


@pytest.mark.parametrize("status", [MadeStatus.FAILED, MadeStatus.CANCELED])
@pytest.mark.parametrize("card", ["pm_card_visa", "pm_card_pendingRefund"])
def test_a_refund_that_comes_to_nothing_later_gives_the_money_back(shop: Shop, card: str, status: MadeStatus) -> None:
    payment = shop.pay(card)
    refund = shop.refund(payment)
    made = shop.stripe.end_refund(refund.stripe_refund_id or "", status, "lost_or_stolen_card")
    assert shop.tell(shop.refund_notice("refund.failed", made)) == "applied"
    assert shop.tell(shop.refund_notice("refund.updated", made, "evt_2")) == "known before"
    assert state(shop, payment) == ("succeeded", 0, 0, 14_800)
    now = shop.store.get(Refund, refund.id)
    assert (now.status, now.failure_reason) == (str(status), "lost_or_stolen_card")
    assert happened(shop)[-1] == "refund.failed"
    payment_now = shop.payment(payment.id)
    assert payment_now.returned is not None
    assert payment_now.returned.net == usd(0)
    # What failed is not sent again by itself, but may be asked for anew.
    shop.settle()
    assert len(creates(shop)) == 1
    assert shop.refund(payment, 14_800).stripe_refund_id != refund.stripe_refund_id


# --- what the mail says


def test_the_mail_says_how_much_and_says_nothing_any_more_once_it_came_back(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wiring, "_root", wiring._Root())
    wiring.configure(SETTINGS, shop.clock)
    payment = shop.pay()
    refund = shop.refund(payment, 800)
    [mail] = [mail for mail in shop.store.all(Mail) if mail.kind is MailKind.REFUND]
    outgoing = compose(shop.ports, mail)
    assert outgoing is not None
    assert outgoing.subject == "Pinewood Studio refunded $8.00"
    assert "https://till.example/invoice/pinewood/" in outgoing.text
    made = shop.stripe.end_refund(refund.stripe_refund_id or "", MadeStatus.FAILED, "unknown")
    shop.tell(shop.refund_notice("refund.failed", made))
    assert compose(shop.ports, mail) is None
