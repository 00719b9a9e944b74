"""The guards of issue, charge and booking: where each stands, what the code is without it, and which tests hold it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Guard:
    """`find` stands exactly once in `file`; `instead` is the code without the guard. One of `tests` must go red."""

    what: str
    file: str
    find: str
    instead: str
    tests: tuple[str, ...]

    def removed_from(self, text: str) -> str:
        """The file without the guard. Raises ValueError where the guard is not found exactly once."""
        if text.count(self.find) != 1:
            raise ValueError(f"{self.what}: {self.find!r} stands {text.count(self.find)} times in {self.file}")
        return text.replace(self.find, self.instead)


SUBMIT = ("tests/services/test_checkout_submit.py",)
RENEW = ("tests/services/test_renewals.py",)
ISSUE = ("tests/services/test_issuing_from_one_read.py",)
CHARGE = ("tests/services/test_charging_in_three_calls.py",)
INTAKE = ("tests/services/test_intake.py",)
HINTS = ("tests/services/test_intake_hints.py",)
PAYING = ("tests/services/test_invoice_paying.py",)
CATALOGUE = ("tests/services/test_catalogue_lines.py",)
MADE = ("tests/services/test_subscribing.py",)
REFUND = ("tests/services/test_refunds.py",)
REPORTS = ("tests/services/test_refund_reports.py",)
SUMS = ("tests/domain/test_refund_sums.py",)
STORE = ("tests/contract", "tests/storage/test_dynamodb_local.py", "tests/storage/test_races.py")

LADDER = ("tests/services/test_dunning_ladder.py",)
PAST_DUE = ("tests/services/test_past_due.py",)

BOUNDS = ("tests/services/test_day_bounds.py",)
HELD = ("tests/services/test_release_held.py",)
LATE = ("tests/handlers/test_time_left.py",)
PAUSING = ("tests/services/test_pausing.py",)
EDITING = ("tests/services/test_editing.py",)
SHARES = ("tests/domain/test_proration.py",)
KEYED = ("tests/services/test_keyed_calls.py",)
CARD = ("tests/services/test_portal_method.py",)
SIGN_IN = ("tests/services/test_portal_signing_in.py",)
PORTAL = ("tests/doors/test_portal_doors.py", "tests/doors/test_portal_pages.py")

_IDEMPOTENCY = "chalicelib/services/idempotency.py"
_BOOKING = "chalicelib/services/checkouts/booking.py"
_SUBMIT = "chalicelib/services/checkouts/submit.py"
_ISSUING = "chalicelib/services/billing/issuing.py"
_ONE_INVOICE = "chalicelib/services/billing/making.py"
_COMING = "chalicelib/domain/billing/coming.py"
_CHANGES = "chalicelib/domain/billing/changes.py"
_PRORATION = "chalicelib/domain/billing/proration.py"
_EDITING = "chalicelib/services/editing.py"
_PAUSING = "chalicelib/services/pausing.py"
_CHARGING = "chalicelib/services/billing/charging.py"
_BOUNDS = "chalicelib/services/billing/bounds.py"
_PARKING = "chalicelib/services/billing/parking.py"
_RELEASING = "chalicelib/services/billing/releasing.py"
_SWEEPING = "chalicelib/services/billing/sweeping.py"
_PACING = "chalicelib/gateways/pacing.py"
_KNOWN = "chalicelib/services/billing/known.py"
_DUNNING = "chalicelib/domain/billing/dunning.py"
_LADDER = "chalicelib/services/billing/ladder.py"
_RETRYING = "chalicelib/services/billing/retrying.py"
_OUTCOMES = "chalicelib/services/billing/outcomes.py"
_INTENTS = "chalicelib/services/payments/intents.py"
_SUBSCRIBING = "chalicelib/services/subscribing.py"
_INTAKE = "chalicelib/services/intake.py"
_NOTICES = "chalicelib/services/notices.py"
_LINES = "chalicelib/services/catalogue/lines.py"
_PAYMENTS = "chalicelib/domain/documents/payments.py"
_ASKING = "chalicelib/services/refunds/asking.py"
_MAKING = "chalicelib/services/refunds/making.py"
_RETURNS = "chalicelib/services/refunds/booking.py"
_TRANSACTION = "chalicelib/storage/transaction.py"
_CHANGING = "chalicelib/services/portal/changing_method.py"
_STORING = "chalicelib/services/portal/storing_method.py"
_SIGNING_IN = "chalicelib/services/portal/signing_in.py"
_ACCESS = "chalicelib/handlers/portal_access.py"

GUARDS: tuple[Guard, ...] = (
    # --- the press of the button
    Guard("the amount the buyer saw", _SUBMIT, "!= request.expected_total", "!= agreed.due_today.total.minor", SUBMIT),
    Guard(
        "the secret of a checkout",
        _SUBMIT,
        "if page.checkout is not None and not _is_theirs(page.checkout, request):",
        "if False:",
        SUBMIT,
    ),
    Guard(
        "asking Stripe before another try",
        _SUBMIT,
        "checkout = resolve(ports, page.merchant, checkout, actor=ACTOR)",
        "pass",
        SUBMIT,
    ),
    Guard(
        "an unknown end blocks another try",
        _SUBMIT,
        "if may_be_running(checkout.part, now) or checkout.part.in_doubt:",
        "if False:",
        SUBMIT,
    ),
    Guard(
        "the try's number in the confirm's key",
        _INTENTS,
        'return f"confirm-{intent_id}-{number}"',
        'return f"confirm-{intent_id}"',
        SUBMIT,
    ),
    Guard(
        "the intent's key names part and generation",
        _INTENTS,
        'return f"pi-{invoice_id_of(owner)}-{part.number}-{part.generation}"',
        "import uuid; return str(uuid.uuid4())",
        SUBMIT,
    ),
    Guard("the order of one checkout", _SUBMIT, "or not _same_order(checkout, page, now):", "or False:", SUBMIT),
    Guard("the pause after too many tries", _SUBMIT, "if paused is not None and now < paused:", "if False:", SUBMIT),
    # --- booking
    Guard(
        "a completed checkout is not booked again",
        _BOOKING,
        "if checkout.status is CheckoutStatus.COMPLETED:",
        "if False:",
        SUBMIT + INTAKE,
    ),
    Guard(
        "the number is taken with the booking",
        _BOOKING,
        "writes += [Update(taken), Update(done),",
        "writes += [Update(done),",
        SUBMIT,
    ),
    Guard(
        "the checkout's state is written with the booking",
        _BOOKING,
        "writes += [Update(taken), Update(done),",
        "writes += [Update(taken),",
        SUBMIT,
    ),
    Guard(
        "the amount Stripe reports",
        "chalicelib/services/payments/matching.py",
        "if intent.amount != part.amount:",
        "if False:",
        INTAKE,
    ),
    Guard("the receipt's timer", _BOOKING, "*posted(mail)]", "Insert(mail)]", SUBMIT),
    Guard("a subscription's first timer", _BOOKING, "writes.append(SetTimer(due))", "pass", SUBMIT + RENEW),
    Guard(
        "a decline told late does not end a newer try",
        "chalicelib/services/checkouts/outcomes.py",
        "if may_be_running(part, now) and not asked_here:",
        "if False:",
        INTAKE,
    ),
    # --- issuing
    Guard(
        "the invoice's id follows from subscription and period",
        _ONE_INVOICE,
        'id=derived_id("inv", period.invoice_at, f"{subscription.id}#{period.index}")',
        'id=ports.ids.new("inv", period.invoice_at)',
        RENEW,
    ),
    Guard(
        "the counter moves with the invoices",
        _ISSUING,
        "writes.append(Update(series))\n        series = written(series)",
        "pass",
        RENEW,
    ),
    Guard(
        "the subscription moves on with its invoice",
        _ISSUING,
        "writes: list[Write] = [Insert(invoice), Update(moved)]",
        "writes: list[Write] = [Insert(invoice)]",
        RENEW,
    ),
    Guard(
        "the charge timer is left by the issuing transaction",
        _ONE_INVOICE,
        "if invoice.charge_at is not None:\n        writes.append(SetTimer(",
        "if False:\n        writes.append(SetTimer(",
        RENEW,
    ),
    Guard("the next period's timer", _ISSUING, "if following is not None:", "if False:", RENEW),
    Guard(
        "a period is not issued before its time",
        _ISSUING,
        "return acts_at is not None and acts_at <= now and",
        "return acts_at is not None and",
        RENEW,
    ),
    Guard(
        "what is more than seven days late is held", _ONE_INVOICE, "if now - planned_at > TOO_LATE:", "if False:", RENEW
    ),
    Guard(
        "one charge a day and subscription",
        _ONE_INVOICE,
        "max(now, not_before or now)",
        "now",
        RENEW,
    ),
    Guard(
        "a cancelled subscription is not billed",
        "chalicelib/domain/documents/subscriptions.py",
        "return self.cancel_at_period_end or self.is_last_issued",
        "return self.is_last_issued",
        RENEW,
    ),
    Guard(
        "a timer that was done goes with its work",
        _ISSUING,
        "writes += [DropTimer(timer) for timer in stale]",
        "pass",
        ISSUE,
    ),
    Guard(
        "a timer set anew at its old time is not the stale one",
        _ISSUING,
        "None if stale == following else stale,",
        "stale,",
        ISSUE,
    ),
    Guard(
        "who is beaten reads again",
        "chalicelib/services/saving.py",
        "attempt(known.pop() if known else read())",
        "attempt(known[0] if known else read())",
        ISSUE,
    ),
    # --- charging
    Guard(
        "asking Stripe before a try in doubt is repeated",
        _CHARGING,
        "if invoice.part.intent_id is not None:\n        # An intent",
        "if False:\n        # An intent",
        RENEW + INTAKE,
    ),
    Guard(
        "looking before creating once keys are forgotten",
        _INTENTS,
        "return bool(since) and now - min(since) >= KEYS_LAST",
        "return False",
        RENEW,
    ),
    Guard(
        "an intent of a worker that wrote nothing down is looked for too",
        _INTENTS,
        "if isinstance(owner, Invoice) and owner.collection is Collection.AUTOMATIC and owner.issued_at is not None:",
        "if False:",
        CHARGE,
    ),
    Guard(
        "the try and its intent are saved before the confirm",
        _CHARGING,
        "commit(ports, [Update(claimed), *writes])\n        claimed = written(claimed)",
        "claimed = written(claimed)",
        CHARGE,
    ),
    Guard(
        "the intent's owner is put with its claim",
        _CHARGING,
        "commit(ports, [Update(claimed), *writes])",
        "commit(ports, [Update(claimed)])",
        CHARGE,
    ),
    Guard(
        "only what the invoice names is taken of what came with hints",
        _KNOWN,
        "found.get(invoice.customer_id),",
        "next((each for each in found.values() if isinstance(each, Customer)), None),",
        CHARGE,
    ),
    Guard(
        "a stale charge timer does nothing",
        _CHARGING,
        "if known is None or known.invoice.charge_at != timer.due:",
        "if known is None:",
        RENEW,
    ),
    Guard(
        "a merchant that cannot transact is not charged for",
        _ONE_INVOICE,
        "if not merchant.can_transact:",
        "if False:",
        RENEW,
    ),
    Guard("a refused request uses up no try", _CHARGING, 'if refused.code == "idempotency_error":', "if True:", RENEW),
    Guard(
        "the scheduler waits for a buyer who is paying",
        _CHARGING,
        "if invoice.parts and invoice.part.latest is not None and invoice.part.latest.on_session:",
        "if False:",
        PAYING,
    ),
    Guard(
        "a paid invoice is not booked again",
        _OUTCOMES,
        "if invoice.status is InvoiceStatus.PAID:",
        "if False:",
        RENEW + PAYING,
    ),
    Guard(
        "how a running try failed is its own to tell",
        _OUTCOMES,
        "if latest.number != own_try and (not latest.on_session or may_be_running(invoice.part, now)):",
        "if False:",
        INTAKE + PAYING + RENEW + ("tests/services/test_intake_retries.py",),
    ),
    Guard(
        "a refusal ends the try it was given to",
        _OUTCOMES,
        "if invoice.status is not InvoiceStatus.OPEN or latest is None or latest.number != own_try:",
        "if latest is None:",
        (*RENEW, "tests/services/test_review_cases.py"),
    ),
    Guard("a failed try of the buyer's changes no subscription", _OUTCOMES, "if buyer_is_there:", "if False:", PAYING),
    # --- dunning
    Guard(
        "advice not to try again is heeded",
        _DUNNING,
        'ADVICE.get(advice_code or "") is',
        "None is",
        ("tests/domain/test_dunning.py",),
    ),
    Guard(
        "a hard decline leads to no try",
        _DUNNING,
        "if remedy is Remedy.RETRY and within_limits(",
        "if within_limits(",
        LADDER,
    ),
    Guard(
        "a step is after the failure that leads to it",
        _DUNNING,
        "next(step for step in ladder if step > now)",
        "ladder[0]",
        LADDER,
    ),
    Guard("the ladder has an end", _DUNNING, "if now >= ladder[-1]:", "if False:", LADDER),
    Guard(
        "the networks' limit",
        _DUNNING,
        "return len(recent) < LIMITS.get(",
        "return True or len(recent) < LIMITS.get(",
        PAST_DUE,
    ),
    Guard(
        "an invoice's ladder begins with its first failure",
        _LADDER,
        "first, days = invoice.failed_first_at or now,",
        "first, days = now,",
        LADDER,
    ),
    Guard(
        "an invoice keeps the ladder that it began with",
        _LADDER,
        "invoice.ladder or merchant.dunning.days",
        "merchant.dunning.days",
        LADDER,
    ),
    Guard(
        "the next step's timer is written with the failure",
        _LADDER,
        "writes.append(SetTimer(collection_timer(after, after.charge_at)))",
        "pass",
        LADDER,
    ),
    Guard(
        "a method declined for good is not tried again",
        _LADDER,
        "if is_barred(part, method):\n        return False",
        "pass",
        LADDER,
    ),
    Guard(
        "what is due at the end of the ladder is no try",
        _LADDER,
        "return failure is None or invoice.charge_at in (invoice.asked_at, failure.next_at)",
        "return True",
        LADDER,
    ),
    Guard(
        "nothing of an ended subscription is tried again",
        _LADDER,
        "if subscription is None or subscription.has_ended:",
        "if subscription is None:",
        ("tests/services/test_review_cases.py", *LADDER),
    ),
    Guard(
        "a paused subscription has no timer",
        _LADDER,
        "moved = replace(paused, timer_at=paused.acts_at)",
        "moved = replace(moved, paused_at=now)",
        LADDER,
    ),
    Guard(
        "an unpaid subscription's invoices are not tried",
        _ONE_INVOICE,
        "if subscription.status is SubscriptionStatus.UNPAID:",
        "if False:",
        LADDER,
    ),
    Guard(
        "after three of them it is paused",
        _ISSUING,
        "if owing.untried < MOST_UNTRIED or owing.is_last_issued:",
        "if True:",
        LADDER,
    ),
    Guard(
        "a new method is charged for exactly what its page listed",
        _OUTCOMES,
        "past_due_of(ports, kept, invoice.also_charges)",
        "past_due_of(ports, kept, kept.past_due_invoices)",
        PAST_DUE,
    ),
    Guard(
        "the oldest is charged first",
        _CHARGING,
        "if _older_is_due(ports, known, subscription, now):",
        "if False:",
        PAST_DUE,
    ),
    Guard(
        "no retry by hand after a hard decline",
        _RETRYING,
        "if not is_barred(invoice.part, method)]",
        "if True]",
        PAST_DUE,
    ),
    Guard(
        "no retry by hand while it is being paid",
        _LADDER,
        "and not invoice.part.in_doubt\n",
        "\n",
        PAST_DUE,
    ),
    Guard(
        "the whole of the due day is the buyer's",
        _ONE_INVOICE,
        "midnight(invoice.due_date + timedelta(days=1))",
        "midnight(invoice.due_date)",
        PAST_DUE,
    ),
    Guard(
        "an old try in doubt is not told by the decline before it",
        _CHARGING,
        "if not _was_not_tried(invoice.part, intent):\n                return",
        "if True:\n                return",
        LADDER,
    ),
    # --- what a merchant makes
    Guard(
        "no day before the agreement is billed",
        _SUBSCRIBING,
        "refuse_past(new.recurrence.start, now, merchant.timezone)",
        "pass",
        MADE,
    ),
    Guard(
        "every amount of a subscription can be charged",
        _SUBSCRIBING,
        'check_chargeable(stretch.amount, "lines")',
        "pass",
        MADE,
    ),
    Guard(
        "a card is kept only where it will be charged",
        "chalicelib/services/invoices/paying.py",
        "if billed is None or billed.has_ended or billed.collection is not Collection.AUTOMATIC:",
        "if billed is None or billed.has_ended:",
        MADE,
    ),
    Guard("a transaction's weight", _ISSUING, "or weight > HEAVIEST", "", MADE),
    # --- pauses and changes
    Guard("the timer goes with a pause", _PAUSING, "[Update(after), told, *timers]", "[Update(after), told]", PAUSING),
    Guard("a pause is ended and not billed", _ISSUING, "elif subscription.sits_out:", "elif False:", PAUSING),
    Guard(
        "a pause skips its dates",
        _COMING,
        "schedule = subscription.schedule.skipped_to(subscription.next_index, until)",
        "schedule = subscription.schedule",
        PAUSING,
    ),
    Guard(
        "what began before a pause is billed",
        "chalicelib/domain/documents/subscriptions.py",
        "return self.schedule.period(self.next_index).start > self.paused_at",
        "return True",
        PAUSING,
    ),
    Guard(
        "a cancellation is taken back while its period runs",
        _PAUSING,
        "if ends_at(before, now) <= now:",
        "if False:",
        PAUSING,
    ),
    Guard(
        "a change rests on invoices that have not moved",
        _EDITING,
        "writes += [Unchanged(invoice) for invoice in read.invoices]",
        "pass",
        EDITING,
    ),
    Guard("a change waits for a charge", _EDITING, "if _is_being_charged(invoice, now):", "if False:", EDITING),
    Guard("a change waits for its period's invoice", _CHANGES, "if subscription.is_behind(now):", "if False:", EDITING),
    Guard("only what was paid comes back", _PRORATION, "min(credit - owed, paid)", "credit", SHARES),
    Guard(
        "a change that waits comes with the next period",
        _COMING,
        "= subscription.with_pending_change()\n    disc",
        "= subscription\n    disc",
        EDITING,
    ),
    Guard("an adjustment is billed once", _COMING, "adjustments=left,", "adjustments=begun.adjustments,", EDITING),
    Guard(
        "a credit is used once",
        _COMING,
        "credit_balance=begun.credit - credited if begun.credit else begun.credit_balance,",
        "credit_balance=begun.credit_balance,",
        EDITING,
    ),
    Guard(
        "a charge leaves out what is credited",
        _ONE_INVOICE,
        "Part(1, to_pay)",
        "Part(1, invoice.totals.total)",
        EDITING,
    ),
    Guard("a change is no payment of a period", _OUTCOMES, "if invoice.edit_number is None:", "if True:", EDITING),
    # --- what is read before it is needed
    Guard(
        "what was read ahead is good for one transaction",
        "chalicelib/services/reading_ahead.py",
        "self._found.clear()",
        "pass",
        HINTS,
    ),
    Guard(
        "a hinted customer has the checkout's address",
        "chalicelib/services/notices.py",
        "and customer_by_email_id(customer.merchant_id, customer.email) == address:",
        "and True:",
        HINTS,
    ),
    Guard(
        "a mismatch is one by what is there now",
        _INTAKE,
        "with suppress(PaymentMismatch):",
        "if True:",
        HINTS,
    ),
    Guard(
        "the checkout as it was seen only tells what to read",
        _BOOKING,
        "if own_email_id != email_id:",
        "if False:",
        HINTS,
    ),
    Guard(
        "fee and net of a late booking are told",
        _BOOKING,
        "writes += settled_event(ports.ids, payment, now=now, actor=actor)",
        "pass",
        INTAKE,
    ),
    # --- intake
    Guard(
        "an event's effects and its done are one",
        _INTAKE,
        "    done = _done(row, str(intent.status))\n",
        "    commit(ports, [], _done(row, str(intent.status))); done: list[Write] = []\n",
        INTAKE,
    ),
    Guard("an event of the other mode", _INTAKE, "if merchant.livemode != notice.livemode:", "if False:", INTAKE),
    Guard(
        "an event of another account",
        _NOTICES,
        "if merchant is None or merchant.stripe_account != notice.account:",
        "if merchant is None:",
        INTAKE,
    ),
    # --- calls under an idempotency key
    Guard(
        "the key's row is in the effect's transaction",
        _IDEMPOTENCY,
        "commit(operation_id, [*writes, Update(call)])",
        "commit(operation_id, writes) if writes else None; commit(self._world, [Update(call)])",
        KEYED,
    ),
    Guard("a key stands for one request", _IDEMPOTENCY, "if call.fingerprint != fingerprint:", "if False:", KEYED),
    Guard("a key has one request at a time", _IDEMPOTENCY, "now < call.leased_until:", "False:", KEYED),
    Guard("a lost lease is not tried again", _IDEMPOTENCY, "if len(writes) in conflict.failed:", "if False:", KEYED),
    Guard("an effect in doubt keeps its key", _IDEMPOTENCY, "or self._in_doubt:", "or False:", KEYED),
    # --- what a line may be copied from
    Guard(
        "a price of another merchant",
        _LINES,
        "if record is not None and record.merchant_id == merchant_id]",
        "if record is not None]",
        CATALOGUE,
    ),
    Guard("an archived price", _LINES, "if price is None or not price.active:", "if price is None:", CATALOGUE),
    Guard("an archived product", _LINES, "if product is None or not product.active:", "if product is None:", CATALOGUE),
    Guard("a price of another currency", _LINES, "if price.currency != currency:", "if False:", CATALOGUE),
    Guard(
        "a price of another rhythm",
        _LINES,
        "repeats is not None and repeats.frequency is not price.frequency:",
        "False:",
        CATALOGUE,
    ),
    # --- refunds
    Guard("no more is refunded than is left", _PAYMENTS, "if amount > self.left:", "if False:", SUMS + REFUND),
    Guard("nothing is refunded of nothing", _PAYMENTS, "if self.left.minor <= 0:", "if False:", SUMS + REFUND),
    Guard(
        "only a payment that arrived is refunded",
        _PAYMENTS,
        "        PAYMENT.next(self.status, PaymentAction.START_REFUND)\n",
        "",
        SUMS + REFUND,
    ),
    Guard(
        "what is set aside counts as taken",
        _PAYMENTS,
        "return self.amount - self.gone_back - self.set_aside",
        "return self.amount - self.gone_back",
        SUMS + REFUND,
    ),
    Guard(
        "setting aside is on the payment's version",
        _ASKING,
        "writes: list[Write] = [Insert(refund), Update(reserved)]",
        "writes: list[Write] = [Insert(refund)]",
        REFUND,
    ),
    Guard(
        "setting aside leaves a timer",
        _ASKING,
        "    if refund.timer is not None:\n        writes.append(SetTimer(refund.timer))\n",
        "",
        REFUND,
    ),
    Guard(
        "another merchant's payment",
        _ASKING,
        "if payment is None or merchant is None or payment.merchant_id != merchant_id:",
        "if payment is None or merchant is None:",
        ("tests/handlers/test_api_refunds.py",),
    ),
    Guard(
        "a payment of an account that is gone",
        _ASKING,
        "if merchant.connection is ConnectionState.DISCONNECTED or merchant.stripe_account != payment.stripe_account:",
        "if False:",
        REFUND,
    ),
    Guard(
        "one intention is one refund",
        _ASKING,
        "begun = None if refund_id is None else ports.records.find(Refund, refund_id)",
        "begun = None; refund_id = None",
        REFUND,
    ),
    Guard(
        "Stripe's list is read before a refund is asked for again",
        _MAKING,
        "refund = _looked_up(ports, refund, actor)\n    return make(",
        "return make(",
        REFUND,
    ),
    Guard(
        "a refund's key stays the same",
        _MAKING,
        'return f"refund-{refund.id}-{refund.keys_used}"',
        "import uuid; return str(uuid.uuid4())",
        REFUND,
    ),
    Guard(
        "a key under which Stripe failed is left behind",
        _MAKING,
        "commit(ports, [Update(replace(fresh, keys_used=fresh.keys_used + 1))])",
        "pass",
        REFUND,
    ),
    Guard(
        "a later request turned away at the door releases nothing",
        _MAKING,
        "if not asked_before and refused.code in TURNED_AWAY:",
        "if True:",
        REFUND,
    ),
    Guard(
        "a refund's list is read before it is released",
        _MAKING,
        "        refund = _looked_up(ports, refund, actor)\n        return _release(",
        "        return _release(",
        REFUND,
    ),
    Guard("only what is unanswered is released", _MAKING, "if not fresh.is_unanswered:", "if False:", REFUND + REPORTS),
    Guard(
        "a stale refund timer does nothing",
        _MAKING,
        "if refund is None or refund.look_at != timer.due:",
        "if refund is None:",
        REFUND,
    ),
    Guard("a refund timer waits for its time", _MAKING, "if timer.due > now:", "if False:", REFUND),
    Guard(
        "a refund of Stripe's is booked by its own id",
        _RETURNS,
        "if owner is None:\n        # Metadata",
        "if True:\n        # Metadata",
        REPORTS,
    ),
    Guard(
        "a refund's owner is put with its booking",
        _RETURNS,
        "        writes.append(Insert(whose))\n",
        "",
        REFUND + REPORTS,
    ),
    Guard(
        "metadata find only the refund that waits",
        _RETURNS,
        "ours = hinted is not None and hinted.is_unanswered and hinted.payment_id == payment_id",
        "ours = hinted is not None",
        REPORTS,
    ),
    Guard(
        "metadata find only a refund of that amount",
        _RETURNS,
        "hinted if ours and hinted.amount == made.amount else None",
        "hinted if ours else None",
        REPORTS,
    ),
    Guard(
        "the invoice is lowered with the refund",
        _RETURNS,
        "        writes.append(Update(invoice))\n",
        "",
        REFUND,
    ),
    Guard(
        "what came back makes room first",
        _RETURNS,
        "key=lambda each: (each.status not in _GIVEN_UP, each.created_at)",
        "key=lambda each: (each.status in _GIVEN_UP, each.created_at)",
        REPORTS,
    ),
    Guard(
        "a refund of another intent",
        _RETURNS,
        "if made.intent_id != payment.intent_id:",
        "if False:",
        REPORTS,
    ),
    Guard("refunds above the payment", _RETURNS, "if payment.gone_back > payment.amount:", "if False:", REPORTS),
    Guard(
        "a movement on the balance counts once",
        _RETURNS,
        "if old is None and new is not None:",
        "if new is not None:",
        REFUND + REPORTS,
    ),
    Guard(
        "a refund's report and its done are one",
        _RETURNS,
        "_book_one(ports, payment_id, ordered[-1], actor, also)",
        "_book_one(ports, payment_id, ordered[-1], actor, ())",
        REPORTS,
    ),
    # --- the day's bounds, and what an outage held back
    Guard("the day's bound of invoices", _BOUNDS, "if self.invoices > bounds.invoices:", "if False:", BOUNDS),
    Guard("the day's bound of charges", _BOUNDS, "if self.charges > bounds.charges:", "if False:", BOUNDS),
    Guard(
        "the count is written with what it counts",
        _ISSUING,
        "series = count.on(replace(series, last=taken))",
        "series = replace(series, last=taken)",
        BOUNDS,
    ),
    Guard("another day counts anew", _BOUNDS, "if series.counted_on != today:", "if False:", BOUNDS),
    Guard(
        "nothing is issued for who is parked", _ISSUING, "if known.merchant.parked_at is not None:", "if False:", BOUNDS
    ),
    Guard(
        "nothing is charged for who is parked",
        _CHARGING,
        "return None if merchant.parked_at is None else CollectionBlock.PARKED",
        "return None",
        BOUNDS,
    ),
    Guard("a parked charge keeps its timer", _CHARGING, "if refusal is CollectionBlock.PARKED:", "if False:", BOUNDS),
    Guard(
        "unparked, the day is counted anew",
        _PARKING,
        "commit(ports, [Update(after), Update(uncounted), told])",
        "commit(ports, [Update(after), told])",
        BOUNDS,
    ),
    Guard(
        "a parked merchant's timers are in nobody's way",
        _SWEEPING,
        "return timer.kind is TimerKind.BILL_PERIOD or",
        "return False and timer.kind is TimerKind.BILL_PERIOD or",
        BOUNDS,
    ),
    Guard(
        "what was released is not released again",
        _RELEASING,
        "if each is not None and _is_held(each)]",
        "if each is not None]",
        HELD,
    ),
    Guard("released charges are a day apart", _RELEASING, "charge_at += CHARGES_APART", "pass", HELD),
    Guard(
        "later charges keep away from released ones",
        _RELEASING,
        "after = replace(subscription, charge_not_before=charge_at)",
        "after = subscription",
        HELD,
    ),
    Guard("what a cancelled subscription owes stays held", _RELEASING, "subscription.has_ended or", "", HELD),
    Guard(
        "released invoices have their timers",
        _RELEASING,
        "return [Update(due), SetTimer(collection_timer(due, charge_at))]",
        "return [Update(due)]",
        HELD,
    ),
    Guard("a worker stops where time is short", _ISSUING, "if turn and not enough_time():", "if False:", BOUNDS),
    Guard(
        "a sweep stops where time is short",
        _SWEEPING,
        "if shard != shards[0] and not enough_time():",
        "if False:",
        BOUNDS + LATE,
    ),
    Guard(
        "tokens whose second was over when they came are not spent",
        _PACING,
        "if int(now) == second:",
        "if True:",
        ("tests/gateways/test_pacing.py",),
    ),
    # --- the database's promises
    Guard(
        "an update's version",
        _TRANSACTION,
        '"ConditionExpression": "#version = :before"',
        '"ConditionExpression": "attribute_exists (#version) OR #version = :before"',
        STORE,
    ),
    Guard(
        "a put only if absent",
        _TRANSACTION,
        '"ConditionExpression": "attribute_not_exists (#id)"',
        '"ConditionExpression": "attribute_not_exists (#id) OR attribute_exists (#id)"',
        STORE,
    ),
    Guard(
        "our own operation is recognised after a lost reply",
        _TRANSACTION,
        "if self._is_ours(error.reasons) or self._was_made(tables, patience):",
        "if False:",
        STORE,
    ),
    # --- the portal
    Guard(
        "a subscription is its own customer's alone",
        _CHANGING,
        " or found.customer_id != visit.customer.id:",
        ":",
        CARD + PORTAL,
    ),
    Guard(
        "a change of method is for the subscription it was begun for",
        _CHANGING,
        "if change is not None and change.subscription_id != subscription.id:",
        'if change is None and change_id == "":',
        CARD,
    ),
    Guard(
        "a SetupIntent's id is saved before it is confirmed",
        _CHANGING,
        "    commit(ports, [Update(saved), Insert(owner)])\n    return written(saved)",
        "    return saved",
        CARD,
    ),
    Guard(
        "a change that is stored is not tried again",
        _CHANGING,
        "if change is not None and change.stored_at is not None:\n        return Submitted(Ending.STORED)",
        "if change is None and page.due is None:\n        return Submitted(Ending.STORED)",
        CARD,
    ),
    Guard(
        "a card is stored only under the terms that its page showed",
        _CHANGING,
        "if not request.as_shown(page):",
        "if page.due is None:",
        CARD + PORTAL,
    ),
    Guard(
        "a page is too old before Stripe forgets its keys",
        _CHANGING,
        "if now >= time_of(request.change_id) + CHANGE_LIFE:",
        "if page.due is None:",
        CARD,
    ),
    Guard(
        "an older change takes no newer card away",
        _STORING,
        "return subscription.consent.at > change.consent.at",
        "return False",
        CARD,
    ),
    Guard(
        "a subscription that has ended takes no card",
        _STORING,
        "    if subscription.has_ended:\n        return True\n",
        "",
        CARD,
    ),
    Guard(
        "a method that is stored is told once",
        _STORING,
        "            if change.stored_at is None:\n                after",
        "            if True:\n                after",
        CARD,
    ),
    Guard(
        "an invoice that was paid meanwhile is not charged again",
        _STORING,
        "if invoice is not None and is_owed(invoice, subscription, now)]",
        "if invoice is not None]",
        CARD,
    ),
    Guard(
        "a new card is charged for what its page listed",
        _STORING,
        "        writes += asked_for(owed, now)\n",
        "",
        CARD,
    ),
    Guard(
        "a link opens the portal once",
        _SIGNING_IN,
        "commit(ports, [Update(replace(link, used_at=now)), Insert(session)])",
        "commit(ports, [Insert(session)])",
        SIGN_IN,
    ),
    Guard(
        "a link needs its secret",
        _SIGNING_IN,
        '    if not is_secret(secret, link.secret_hash):\n        raise NotFound("page")\n',
        "",
        SIGN_IN,
    ),
    Guard(
        "a session needs its secret and ends",
        _SIGNING_IN,
        "if not is_secret(secret, session.secret_hash) or not session.is_open(ports.clock.now()):",
        "if session.secret_hash == secret:",
        SIGN_IN,
    ),
    Guard(
        "an address that was given up signs nobody in",
        _SIGNING_IN,
        "    return customer if same else None",
        "    return customer",
        SIGN_IN,
    ),
    Guard(
        "a form is of its own session and purpose",
        _ACCESS,
        "return signed == purpose",
        "return signed is not None",
        PORTAL,
    ),
)
