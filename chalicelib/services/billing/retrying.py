"""A subscription's past-due invoices tried once more because somebody asks for it, outside of their ladders."""

from __future__ import annotations

from chalicelib.domain.documents.invoices import Collection, Invoice
from chalicelib.domain.documents.merchants import Merchant
from chalicelib.domain.documents.methods import StoredMethod
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.errors import StateConflict, TillError
from chalicelib.services.account import require_ready
from chalicelib.services.billing.ladder import asked_for, is_barred, is_within_limits, past_due_of
from chalicelib.services.ports import Ports, Update
from chalicelib.services.reading import read
from chalicelib.services.saving import commit, until_won, written


def retry_past_due(ports: Ports, merchant_id: str, subscription_id: str) -> Subscription:
    """Have all that is past due charged to the stored method by the scheduler's next run, oldest first.

    Each invoice goes by its own timer and claim. Raises NotFound; StateConflict where nothing is past due, nothing is
    charged, or the method was declined for good; TillError `not_ready_to_transact`, `payment_in_progress` while all
    that could be tried is being paid, and `limit_reached` where its network allows no more tries.
    """

    def attempt() -> Subscription:
        subscription = read(ports, merchant_id, Subscription, subscription_id)
        method = _method_of(subscription)
        require_ready(ports.records.get(Merchant, merchant_id))
        now = ports.clock.now()
        free = _free(ports, subscription)
        open_to_it = [invoice for invoice in free if not is_barred(invoice.part, method)]
        if not open_to_it:
            raise StateConflict("The payment method was declined for good. Another one is needed.")
        allowed = [invoice for invoice in open_to_it if is_within_limits(invoice.part, method, now)]
        if not allowed:
            raise TillError("limit_reached", "The card's network allows no more tries within 30 days.")
        # The subscription is written too: whoever changes its method or what it owes meanwhile has this read anew.
        commit(ports, [Update(subscription), *asked_for(allowed, now)])
        return written(subscription)

    return until_won(ports, attempt)


def _method_of(subscription: Subscription) -> StoredMethod:
    """What its invoices would be charged to. Raises StateConflict where they would not be."""
    if subscription.has_ended:
        raise StateConflict(f"This subscription is {subscription.status}: nothing of it is collected any more.")
    if subscription.collection is not Collection.AUTOMATIC:
        raise StateConflict("The invoices of this subscription are sent: nothing is charged for them.")
    if not subscription.past_due_invoices:
        raise StateConflict("Nothing of this subscription is past due.")
    if subscription.method is None:
        raise StateConflict("This subscription has no payment method.")
    return subscription.method


def _free(ports: Ports, subscription: Subscription) -> list[Invoice]:
    """What is past due and is not being paid at this moment. Raises TillError `payment_in_progress` for none."""
    found = past_due_of(ports, subscription, subscription.past_due_invoices)
    if not found:
        raise TillError("payment_in_progress", "A payment of what is past due is under way.")
    return found
