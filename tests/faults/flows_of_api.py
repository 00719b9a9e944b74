"""What a caller of the API begins and the clock goes on with: subscriptions of customers without a stored method."""

from __future__ import annotations

from chalicelib.domain.billing.recurrence import Frequency, Recurrence
from chalicelib.domain.documents.invoices import Collection
from chalicelib.domain.documents.lines import LineItem
from chalicelib.domain.documents.mails import MailKind
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.documents.terms import Due
from chalicelib.domain.documents.timers import TimerKind
from chalicelib.domain.machines import InvoiceStatus
from chalicelib.domain.money.amounts import Money
from chalicelib.services.customers import NewCustomer, create_customer
from chalicelib.services.ports import Index, QueueName
from chalicelib.services.subscribing import NewSubscription, create_subscription
from tests.faults import steps
from tests.faults.matrix import Flow
from tests.faults.shop import Case, Shop

_SENT = NewSubscription(
    currency="usd",
    lines=(LineItem("Membership", 1, Money(4_900, "usd")),),
    recurrence=Recurrence(Frequency.MONTHLY),
    collection=Collection.SEND,
    due=Due(net_days=30),
)


def _customer(shop: Shop) -> Case:
    number = shop.next_number()
    new = NewCustomer(f"customer{number}@example.com", name="Ada Byron")
    return Case(number, customer_id=create_customer(shop.world.ports, shop.merchant.id, new, actor="test").id)


def _made(shop: Shop, case: Case) -> None:
    create_subscription(shop.world.ports, shop.merchant.id, case.customer_id, _SENT, actor="test")


def begun(shop: Shop) -> Case:
    """A subscription whose first period is due and not issued yet."""
    case = _customer(shop)
    _made(shop, case)
    [case.subscription_id] = [each.id for each in _subscriptions(shop, case)]
    return case


def _to_issue(shop: Shop, case: Case) -> None:
    case.queue = QueueName.BILLING
    case.message = shop.message_about(TimerKind.BILL_PERIOD, case.subscription_id)


def _subscriptions(shop: Shop, case: Case) -> tuple[Subscription, ...]:
    return shop.world.ports.records.newest(Subscription, Index.BY_CUSTOMER, case.customer_id, limit=10).records


def _whole_or_not_at_all(shop: Shop, case: Case) -> None:
    """Nothing was made, or a subscription that was billed once, by a mail that went out."""
    for made in shop.world.seen().all(Subscription):
        if made.customer_id != case.customer_id:
            continue
        case.subscription_id = made.id
        _sent_once(shop, case)


def _sent_once(shop: Shop, case: Case) -> None:
    invoices = shop.seen_invoices(case)
    found = [each.status for each in invoices]
    assert found == [InvoiceStatus.OPEN], f"case {case.number}: {found}"
    [invoice] = invoices
    mail = shop.mail_about(invoice.id, MailKind.INVOICE)
    assert [sent for sent in shop.world.mailer.sent if sent.key == mail.id], f"case {case.number} was not sent"


FLOWS = (
    Flow(
        "subscription made",
        _customer,
        _made,
        soon=_whole_or_not_at_all,
        ends=_whole_or_not_at_all,
        whole=True,
    ),
    Flow(
        "issue of what is sent",
        begun,
        steps.work,
        ready=(_to_issue,),
        again=steps.message_again,
        soon=_sent_once,
        ends=_sent_once,
    ),
)
