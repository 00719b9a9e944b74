"""The one live intent of a part: made unconfirmed, its id saved before anything can be charged on it.

Once the id is saved, Stripe's own state machine guards the money: an intent succeeds at most once.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, TypeVar

from chalicelib.domain.documents.checkouts import Checkout
from chalicelib.domain.documents.invoices import Collection, Invoice
from chalicelib.domain.documents.merchants import Merchant
from chalicelib.domain.documents.parts import Part
from chalicelib.domain.documents.payments import IntentOwner, intent_owner_id
from chalicelib.services.payments import hints
from chalicelib.services.payments.hints import invoice_id_of
from chalicelib.services.ports import (
    Insert,
    Intent,
    IntentStatus,
    NewIntent,
    Ports,
    ProviderBusy,
    ProviderRefused,
    ProviderUnavailable,
    Update,
)
from chalicelib.services.saving import commit, written

Payable = Checkout | Invoice
P = TypeVar("P", Checkout, Invoice)
T = TypeVar("T")

UNEXPECTED_STATE: Final = "payment_intent_unexpected_state"
"""Stripe's code for a confirm in a state that takes none (docs.stripe.com/error-codes)."""
KEY_USED_OTHERWISE: Final = "idempotency_error"
"""Stripe's code for a key that came before with other parameters (docs.stripe.com/api/idempotent_requests)."""
KEYS_LAST: Final = timedelta(hours=23)
"""Stripe forgets idempotency keys after 24 hours (docs.stripe.com/api/idempotent_requests): no create is repeated
after this without looking first whether it happened."""


def create_key(owner: Payable, part: Part) -> str:
    """The idempotency key under which a part's intent of this generation is made."""
    return f"pi-{invoice_id_of(owner)}-{part.number}-{part.generation}"


def confirm_key(intent_id: str, part: Part) -> str:
    """The idempotency key of the newest try: a deliberate new try has a new number and so a new key."""
    number = part.latest.number if part.latest else 0
    return f"confirm-{intent_id}-{number}"


def metadata_of(owner: Payable, part: Part) -> dict[str, str]:
    """What an intent carries so that it can be found again if its id was never saved."""
    result = {
        hints.MERCHANT: owner.merchant_id,
        hints.INVOICE: invoice_id_of(owner),
        hints.PART: f"{part.number}.{part.generation}",
    }
    if isinstance(owner, Checkout):
        result[hints.CHECKOUT] = owner.id
    return result


def ensure_intent(
    ports: Ports,
    merchant: Merchant,
    owner: P,
    *,
    customer_id: str,
    keep_method: bool,
    description: str,
    known_customer: str | None = None,
) -> P:
    """The owner with the id of its part's live intent saved, making the intent where there is none.

    `customer_id` is Stripe's, `known_customer` the merchant's own of a checkout's address, a hint for its booking.
    Raises what PaymentProvider raises, and WriteConflict when another run moved the owner on meanwhile.
    """
    if owner.part.intent_id is not None:
        return owner
    intent = make_intent(
        ports,
        merchant,
        owner,
        customer_id=customer_id,
        keep_method=keep_method,
        description=description,
        known_customer=known_customer,
    )
    return save_intent(ports, merchant, owner, intent.id, ports.clock.now())


def make_intent(
    ports: Ports,
    merchant: Merchant,
    owner: Payable,
    *,
    customer_id: str,
    keep_method: bool,
    description: str,
    known_customer: str | None = None,
) -> Intent:
    """An intent for a part that has none: made, or found where a run before this one made it and did not save it.

    It is unconfirmed and nobody's yet. Whoever confirms it saves its id first; where that is lost to another run, or
    to death, the intent stays as it is, moves nothing, and is found again by its key and then by its metadata.
    Raises what PaymentProvider raises.
    """
    part, now = owner.part, ports.clock.now()
    wanted = NewIntent(
        amount=part.amount,
        customer_id=customer_id,
        metadata=metadata_of(owner, part),
        keep_method=keep_method,
        description=description,
        hints=hints.hints_of(owner, part, now, known_customer),
    )
    if keys_forgotten(owner, now):
        found = _made_before(ports, merchant, wanted)
        if found is not None:
            return found
    return under_key(
        create_key(owner, part),
        part,
        lambda key: ports.stripe.create_intent(merchant.stripe_account, wanted, key=key),
        lambda: _made_before(ports, merchant, wanted),
    )


def under_key(key: str, part: Part, create: Callable[[str], T], find: Callable[[], T | None] = lambda: None) -> T:
    """What `create` makes under a key. Where that key came before with other words: what `find` finds, or else what
    `create` makes under a key of the newest try.

    A run that died right after its call leaves the key behind; a buyer who corrects the e-mail, or a merchant who takes
    another name, would otherwise be refused until Stripe forgets it.
    """
    try:
        return create(key)
    except ProviderRefused as refused:
        if refused.code != KEY_USED_OTHERWISE:
            raise
        found = find()
        return create(f"{key}-{len(part.attempts)}") if found is None else found


def save_intent(ports: Ports, merchant: Merchant, owner: P, intent_id: str, now: datetime) -> P:
    """Write the intent's id onto the part, and whose it is, in one transaction.

    Raises WriteConflict when the owner moved on meanwhile.
    """
    changed: P = owner.with_part(owner.part.with_intent(intent_id))
    commit(ports, [Update(changed), Insert(owner_of(merchant, owner, intent_id, now))])
    return written(changed)


def owner_of(merchant: Merchant, owner: Payable, intent_id: str, now: datetime) -> IntentOwner:
    """The row that says whose an intent is, for the transaction that saves its id."""
    payment_id, began = hints.payment_of(owner, owner.part, now)
    return IntentOwner(
        id=intent_owner_id(intent_id),
        merchant_id=owner.merchant_id,
        owner_id=owner.id,
        part_number=owner.part.number,
        payment_id=payment_id,
        created_at=began,
        stripe_account=merchant.stripe_account,
    )


def confirmed(ports: Ports, account: str | None, intent_id: str, confirm: Callable[[], Intent]) -> Intent:
    """The intent after `confirm`, or as it is where its state allows none any more.

    Somebody else's confirm may have succeeded meanwhile, and Stripe cancels an intent by itself after too many.
    Raises what PaymentProvider raises.
    """
    try:
        return confirm()
    except ProviderRefused as refused:
        if refused.code != UNEXPECTED_STATE:
            raise
        try:
            return ports.stripe.retrieve_intent(account, intent_id)
        except ProviderBusy as busy:
            # This confirm did nothing, but somebody else's may have: until Stripe says so, the outcome is unknown.
            raise ProviderUnavailable(str(busy)) from busy


def forget_canceled(ports: Ports, owner: P, intent: Intent) -> P:
    """The owner ready for another intent, after Stripe said that this one is canceled."""
    if intent.status is not IntentStatus.CANCELED:
        raise ValueError("only an intent that Stripe calls canceled is replaced")
    changed: P = owner.with_part(owner.part.without_canceled_intent(intent.id))
    commit(ports, [Update(changed)])
    return written(changed)


def keys_forgotten(owner: Payable, now: datetime) -> bool:
    """Whether an intent may have been made so long ago that Stripe has forgotten its key, and its id not been saved.

    A buyer's try is written down before its intent is made. The scheduler makes the intent first, so for an invoice
    that it charges all time counts since this was issued.
    """
    since = [attempt.at for attempt in owner.part.attempts[:1]]
    if isinstance(owner, Invoice) and owner.collection is Collection.AUTOMATIC and owner.issued_at is not None:
        since.append(owner.issued_at)
    return bool(since) and now - min(since) >= KEYS_LAST


def _made_before(ports: Ports, merchant: Merchant, wanted: NewIntent) -> Intent | None:
    for intent in ports.stripe.find_intents(merchant.stripe_account, customer_id=wanted.customer_id):
        if all(intent.metadata.get(name) == value for name, value in wanted.metadata.items()):
            return intent
    return None
