"""I1, I2, I11 to I14: each broken by hand, each found, and nothing else with it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chalicelib.domain.documents.customers import Customer
from chalicelib.domain.documents.edits import SubscriptionEdit
from chalicelib.domain.documents.events import Event
from chalicelib.domain.documents.invoices import Invoice
from chalicelib.domain.documents.lines import Discount, LineItem
from chalicelib.domain.documents.links import LinkUses
from chalicelib.domain.documents.merchants import NumberSeries
from chalicelib.domain.documents.parts import AttemptOutcome, Part
from chalicelib.domain.machines import InvoiceStatus, PartAction, PaymentStatus
from chalicelib.domain.money.amounts import Money
from chalicelib.domain.pricing import PriceModel, Tier, TierTable
from chalicelib.domain.totals import compute_totals
from chalicelib.services.editing import EditOrder, edit_subscription
from tests.checking.broken import at, declined, issued, messages, paid, renewed, wrong
from tests.services.shop import Shop, usd


def test_i1_parts_that_hold_more_than_the_total(shop: Shop) -> None:
    invoice = issued(shop)
    shop.store.overwrite(replace(invoice, parts=(invoice.part, Part(2, usd(1)))))
    assert wrong(shop) == {("I1", invoice.id)}
    assert messages(shop) == ["its parts make 4901, its total is 4900"]


def test_i1_parts_that_are_numbered_twice(shop: Shop) -> None:
    invoice = issued(shop)
    shop.store.overwrite(replace(invoice, parts=(replace(invoice.part, number=2),)))
    assert wrong(shop) == {("I1", invoice.id)}


def test_i1_a_part_that_was_paid_twice(shop: Shop) -> None:
    first, second = paid(shop), paid(shop)
    one, two = shop.payments()
    shop.store.overwrite(replace(two, invoice_id=first.id))
    assert ("I1", first.id) in wrong(shop)
    # The second payment's invoice has lost it, which is another fault.
    assert wrong(shop) == {("I1", first.id), ("I2", first.id), ("I2", second.id), ("I7", second.id)}
    assert (one.invoice_id, two.invoice_id) == (first.id, second.id)


def test_i2_an_amount_paid_that_no_payment_made(shop: Shop) -> None:
    invoice = paid(shop)
    shop.store.overwrite(replace(invoice, amount_paid=usd(14_799)))
    assert wrong(shop) == {("I2", invoice.id)}
    assert messages(shop) == ["its payments make 14800, its amount paid is 14799"]


def test_i2_a_refund_that_the_invoice_does_not_know_of(shop: Shop) -> None:
    payment = shop.pay()
    shop.refund(payment, 800)
    shop.settle()
    invoice = shop.invoice_of(payment)
    shop.store.overwrite(replace(invoice, amount_paid=usd(14_800)))
    assert wrong(shop) == {("I2", invoice.id)}
    assert messages(shop) == ["its payments make 14000, its amount paid is 14800"]
    shop.store.overwrite(replace(invoice, amount_paid=usd(14_000)))
    assert wrong(shop) == set()


def test_i2_an_invoice_that_is_open_though_its_money_arrived(shop: Shop) -> None:
    invoice = renewed(shop)
    shop.store.overwrite(replace(invoice, status=InvoiceStatus.OPEN))
    [subscription] = {each.subscription_id for each in shop.invoices()}
    assert wrong(shop) == {("I2", invoice.id), ("I2", subscription)}


def test_i2_a_part_that_is_paid_by_no_payment(shop: Shop) -> None:
    invoice = issued(shop)
    by_nothing = invoice.part.claimed(shop.clock.now()).ended(AttemptOutcome.SUCCEEDED).moved(PartAction.PAY)
    shop.store.overwrite(invoice.with_part(by_nothing))
    assert wrong(shop) == {("I2", invoice.id), ("I7", invoice.id)}
    assert messages(shop) == ["payments of 0 arrived, parts of 4900 are paid", "part 1 is paid and has no payment"]


def test_i2_money_in_another_currency(shop: Shop) -> None:
    paid(shop)
    [invoice], [payment] = shop.invoices(), shop.payments()
    shop.stripe.tamper(payment.intent_id, amount=Money(14_800, "eur"))
    shop.store.overwrite(replace(payment, amount=Money(14_800, "eur")))
    assert wrong(shop) == {("I2", invoice.id)}


def test_i2_a_payment_that_is_booked_and_has_no_time_of_it(shop: Shop) -> None:
    paid(shop)
    [payment] = shop.payments()
    shop.store.overwrite(replace(payment, booked_at=None))
    assert wrong(shop) == {("I2", payment.id)}
    shop.store.overwrite(replace(payment, refunded=usd(14_801)))
    assert ("I2", payment.id) in wrong(shop)


def test_i2_two_payments_of_one_intent(shop: Shop) -> None:
    paid(shop)
    [payment] = shop.payments()
    twin = replace(payment, id=shop.ids.new("pay", shop.clock.now()), status=PaymentStatus.FAILED, booked_at=None)
    shop.store.overwrite(twin)
    # The twin is also not what the intent was saved for.
    assert wrong(shop) == {("I2", payment.id), ("I2", twin.id), ("I8", twin.id)}


def test_i2_a_subscription_that_counts_a_payment_too_many(shop: Shop) -> None:
    renewed(shop)
    [subscription] = shop.store.all(type(shop.subscription(shop.invoices()[0].subscription_id or "")))
    shop.store.overwrite(replace(subscription, payments_made=3))
    assert wrong(shop) == {("I2", subscription.id)}
    assert messages(shop) == ["it counts 3 payments, 2 of its periods are paid"]


def test_i2_a_link_that_counts_wrong(shop: Shop) -> None:
    paid(shop)
    [uses] = shop.store.all(LinkUses)
    shop.store.overwrite(replace(uses, completed=0))
    assert wrong(shop) == {("I2", uses.id)}
    shop.store.lose(uses)
    assert wrong(shop) == {("I2", uses.id)}


def test_i11_a_number_that_is_missing(shop: Shop) -> None:
    paid(shop)
    [series] = shop.store.all(NumberSeries)
    shop.store.overwrite(replace(series, last=2))
    assert wrong(shop) == {("I11", series.id)}
    assert messages(shop) == ["of 1 to 2, missing: [2]"]
    shop.store.overwrite(replace(series, last=0))
    assert messages(shop) == ["of 1 to 0, beyond the last: [1]"]
    shop.store.lose(series)
    assert wrong(shop) == {("I11", shop.merchant.id)}


def told_as(shop: Shop, invoice: Invoice, **changes: object) -> Event:
    """The event of an invoice's issue, telling something else."""
    [event] = [
        each for each in shop.store.all_events() if (each.type, each.object_id) == ("invoice.issued", invoice.id)
    ]
    return replace(event, data={"object": {**event.data["object"], **changes}})


def test_i11_a_number_that_was_taken_twice(shop: Shop) -> None:
    paid(shop)
    second = paid(shop)
    shop.store.overwrite(replace(second, number="INV-0001"), told_as(shop, second, number="INV-0001"))
    [series] = shop.store.all(NumberSeries)
    assert wrong(shop) == {("I11", series.id)}
    assert messages(shop) == ["of 1 to 2, taken twice: [1]", "of 1 to 2, missing: [2]"]


@pytest.mark.parametrize("number", [None, "INV-1", "a number"])
def test_i11_an_issued_invoice_without_a_proper_number(shop: Shop, number: str | None) -> None:
    invoice = paid(shop)
    shop.store.overwrite(replace(invoice, number=number), told_as(shop, invoice, number=number))
    [series] = shop.store.all(NumberSeries)
    assert wrong(shop) == {("I11", invoice.id), ("I11", series.id)}


def test_i11_numbers_under_an_older_prefix_belong_to_the_same_series(shop: Shop) -> None:
    paid(shop)
    shop.store.overwrite(replace(shop.merchant, invoice_prefix="R2-"))
    paid(shop)
    assert [invoice.number for invoice in shop.invoices()] == ["INV-0001", "R2-0002"]
    assert wrong(shop) == set()


def test_i12_an_issued_invoice_whose_total_was_changed(shop: Shop) -> None:
    invoice = issued(shop)
    line = replace(invoice.lines[0], unit_amount=usd(5_000))
    totals = compute_totals((line,), currency="usd")
    shop.store.overwrite(replace(invoice, lines=(line,), totals=totals, parts=(Part(1, usd(5_000)),)))
    assert wrong(shop) == {("I12", invoice.id)}
    assert messages(shop) == ["its total was issued as 4900 and is 5000"]


def test_i12_an_issued_invoice_for_somebody_else(shop: Shop) -> None:
    invoice = paid(shop)
    shop.press(shop.buyer(shop.one_time, email="berta@example.com"))
    other = next(each for each in shop.store.all(Customer) if each.id != invoice.customer_id)
    shop.store.overwrite(replace(invoice, customer_id=other.id))
    assert wrong(shop) == {("I12", invoice.id)}


def test_i12_an_issued_invoice_without_its_snapshot(shop: Shop) -> None:
    invoice = paid(shop)
    shop.store.overwrite(replace(invoice, snapshot=None))
    assert wrong(shop) == {("I12", invoice.id)}


def test_i12_an_invoice_for_other_lines_than_its_checkout_agreed_to(shop: Shop) -> None:
    invoice = paid(shop)
    half = replace(invoice.lines[0], unit_amount=usd(7_400), quantity=2)
    shop.store.overwrite(replace(invoice, lines=(half,), totals=compute_totals((half,), currency="usd")))
    assert wrong(shop) == set()
    split = (replace(half, quantity=1), replace(half, quantity=1))
    shop.store.overwrite(replace(invoice, lines=split, totals=compute_totals(split, currency="usd")))
    assert wrong(shop) == {("I12", invoice.id)}


def test_i13_a_part_that_asks_for_another_amount_than_its_document(shop: Shop) -> None:
    checkout = declined(shop)
    shop.store.overwrite(checkout.with_part(replace(checkout.part, amount=usd(100))))
    assert wrong(shop) == {("I13", checkout.id)}
    intent_id = checkout.part.intent_id
    assert messages(shop) == [
        "its part asks for 100 usd, its total is 14800",
        f"{intent_id} asks for 14800 usd, its part for 100",
    ]


def test_i13_an_intent_that_asks_for_another_amount_than_its_part(shop: Shop) -> None:
    checkout = declined(shop)
    shop.stripe.tamper(checkout.part.intent_id or "", amount=usd(1_480))
    assert wrong(shop) == {("I13", checkout.id)}


def test_i14_sums_that_do_not_add_up(shop: Shop) -> None:
    invoice = issued(shop)
    shop.store.overwrite(replace(invoice, totals=replace(invoice.totals, tax=usd(1))))
    assert wrong(shop) == {("I14", invoice.id)}
    assert messages(shop) == ["its lines make 0 as tax, stored is 1"]
    shop.store.overwrite(replace(invoice, totals=replace(invoice.totals, subtotal=usd(4_901))))
    assert messages(shop) == ["its sums make 4901, its total is 4900"]
    mixed = replace(invoice.totals, discount=Money(0, "eur"))
    shop.store.overwrite(replace(invoice, totals=mixed))
    assert messages(shop) == ["its totals are in eur, usd"]


def test_i14_lines_that_make_something_else(shop: Shop) -> None:
    invoice = issued(shop)
    shop.store.overwrite(replace(invoice, lines=(replace(invoice.lines[0], quantity=2),)))
    assert wrong(shop) == {("I14", invoice.id)}
    assert messages(shop) == ["its lines make 9800 as subtotal, stored is 4900"]
    shop.store.overwrite(replace(invoice, discount=Discount(percent=None, amount=None)))
    assert messages(shop) == ["its lines make no totals: A discount is either an amount or a percentage."]
    shop.store.overwrite(replace(invoice, lines=(replace(invoice.lines[0], unit_amount=Money(4_900, "eur")),)))
    assert messages(shop) == ["its lines are not all in usd"]


def test_i14_tiers_that_make_something_else_than_was_billed(shop: Shop) -> None:
    invoice = issued(shop)
    stairs = TierTable(PriceModel.STAIRSTEP, (Tier(5, usd(4_900)), Tier(None, usd(6_000))))
    line = replace(invoice.lines[0], unit_amount=None, tiers=stairs, quantity=5)
    shop.store.overwrite(replace(invoice, lines=(line,)))
    assert wrong(shop) == set()
    shop.store.overwrite(replace(invoice, lines=(replace(line, quantity=6),)))
    assert messages(shop) == ["its lines make 6000 as subtotal, stored is 4900"]
    inverted = replace(stairs, model=PriceModel.VOLUME)
    shop.store.overwrite(replace(invoice, lines=(replace(line, tiers=inverted),)))
    assert messages(shop) == ["its lines make 24500 as subtotal, stored is 4900"]


def test_i14_the_sums_of_a_checkout_too(shop: Shop) -> None:
    checkout = declined(shop)
    shop.store.overwrite(replace(checkout, totals=replace(checkout.totals, fees=usd(1))))
    assert wrong(shop) == {("I14", checkout.id)}


def test_a_credit_that_no_change_granted_and_a_change_that_came_to_something_else_are_seen(shop: Shop) -> None:
    subscription = shop.subscribe()
    shop.settle()
    shop.clock.set(at(2, 14))
    order = EditOrder((LineItem("Membership", 1, usd(1_900)),), now=True)
    changed = edit_subscription(shop.ports, shop.merchant.id, subscription.id, order, actor="api:key")
    assert (changed.credit.minor > 0, wrong(shop)) == (True, set())
    shop.store.overwrite(replace(changed, credit_balance=changed.credit + usd(1)))
    assert wrong(shop) == {("I2", changed.id)}
    shop.store.overwrite(changed)
    [edit] = shop.store.all(SubscriptionEdit)
    shop.store.overwrite(replace(edit, seconds=edit.seconds - 3_600))
    assert wrong(shop) == {("I14", edit.id)}
    shop.store.overwrite(replace(edit, net=edit.net - usd(5), forgone=edit.forgone + usd(5)))
    assert wrong(shop) == {("I14", edit.id)}
    shop.store.overwrite(replace(edit, granted=edit.granted - usd(5), forgone=edit.forgone + usd(5)))
    assert wrong(shop) == {("I2", changed.id)}
