"""The straightforward app: one pay page, one webhook and one renewal on Chalice, PynamoDB, Jinja2 and stripe, as
anybody would write them. It is what Till's figures are compared with; nothing in it is slow on purpose.

A record is a PynamoDB model with an attribute a field, each model in a table of its own. The webhook trusts the signed
event and books from it alone; with ASK_STRIPE it asks Stripe how the payment stands and books from the answer, card and
fee included, which no event carries.
"""

import base64
import os
import secrets
import uuid
from datetime import UTC, datetime, timedelta

import stripe
from chalice import Chalice, Response
from jinja2 import Environment, FileSystemLoader
from pynamodb.attributes import (
    BooleanAttribute,
    ListAttribute,
    MapAttribute,
    NumberAttribute,
    UnicodeAttribute,
    UTCDateTimeAttribute,
)
from pynamodb.connection import Connection
from pynamodb.exceptions import DoesNotExist, TransactWriteError
from pynamodb.models import Model
from pynamodb.transactions import TransactWrite

REGION = os.environ.get("TABLES_REGION", "us-east-1")
HOST = os.environ.get("TABLES_HOST")
PREFIX = os.environ.get("TABLES_PREFIX", "shop")
BASE_URL = os.environ.get("BASE_URL", "https://pay.example.com")
PUBLISHABLE_KEY = os.environ.get("STRIPE_PUBLISHABLE_KEY", "")
WEBHOOK_SECRET = os.environ.get("STRIPE_WEBHOOK_SECRET", "")
stripe.api_key = os.environ.get("STRIPE_SECRET_KEY", "")
ASK_STRIPE = os.environ.get("ASK_STRIPE") == "yes"
STRIPE_API = os.environ.get("STRIPE_API", "https://api.stripe.com")
client = stripe.StripeClient(stripe.api_key, base_addresses={"api": STRIPE_API}) if ASK_STRIPE else None

app = Chalice(app_name="straightforward")
connection = Connection(region=REGION, host=HOST)
templates = Environment(
    loader=FileSystemLoader(os.path.join(os.path.dirname(__file__), "chalicelib", "templates")), autoescape=True
)


def money(minor, currency):
    sign = {"usd": "$", "eur": "€", "gbp": "£"}.get(currency, currency.upper() + " ")
    return f"{sign}{minor / 100:,.2f}"


templates.filters["money"] = money


def meta(name):
    return type("Meta", (), {"table_name": f"{PREFIX}-{name}", "region": REGION, "host": HOST})


class Line(MapAttribute):
    name = UnicodeAttribute()
    quantity = NumberAttribute()
    unit_amount = NumberAttribute()
    description = UnicodeAttribute(null=True)

    @property
    def amount(self):
        return int(self.quantity * self.unit_amount)


class Merchant(Model):
    Meta = meta("merchants")
    id = UnicodeAttribute(hash_key=True)
    name = UnicodeAttribute()
    timezone = UnicodeAttribute()
    country = UnicodeAttribute()
    currency = UnicodeAttribute()
    stripe_account = UnicodeAttribute()
    legal_name = UnicodeAttribute(null=True)
    support_email = UnicodeAttribute(null=True)
    statement_name = UnicodeAttribute(null=True)
    address_lines = ListAttribute(default=list)
    invoice_prefix = UnicodeAttribute(default="INV-")
    ready = BooleanAttribute(default=False)
    created_at = UTCDateTimeAttribute()


class PaymentLink(Model):
    Meta = meta("links")
    id = UnicodeAttribute(hash_key=True)
    merchant_id = UnicodeAttribute()
    secret = UnicodeAttribute()
    name = UnicodeAttribute()
    currency = UnicodeAttribute()
    lines = ListAttribute(of=Line)
    active = BooleanAttribute(default=True)
    uses = NumberAttribute(default=0)
    created_at = UTCDateTimeAttribute()


class Checkout(Model):
    Meta = meta("checkouts")
    id = UnicodeAttribute(hash_key=True)
    merchant_id = UnicodeAttribute()
    link_id = UnicodeAttribute()
    secret = UnicodeAttribute()
    email = UnicodeAttribute()
    name = UnicodeAttribute()
    currency = UnicodeAttribute()
    lines = ListAttribute(of=Line)
    total = NumberAttribute()
    status = UnicodeAttribute(default="open")
    intent_id = UnicodeAttribute()
    invoice_id = UnicodeAttribute(null=True)
    completed_at = UTCDateTimeAttribute(null=True)
    created_at = UTCDateTimeAttribute()


class Invoice(Model):
    Meta = meta("invoices")
    id = UnicodeAttribute(hash_key=True)
    merchant_id = UnicodeAttribute()
    secret = UnicodeAttribute()
    number = UnicodeAttribute()
    customer_id = UnicodeAttribute()
    checkout_id = UnicodeAttribute(null=True)
    link_id = UnicodeAttribute(null=True)
    subscription_id = UnicodeAttribute(null=True)
    currency = UnicodeAttribute()
    lines = ListAttribute(of=Line)
    total = NumberAttribute()
    amount_paid = NumberAttribute()
    status = UnicodeAttribute()
    seller_name = UnicodeAttribute()
    seller_address = ListAttribute(default=list)
    buyer_name = UnicodeAttribute()
    buyer_email = UnicodeAttribute()
    issued_at = UTCDateTimeAttribute()
    paid_at = UTCDateTimeAttribute(null=True)


class Payment(Model):
    Meta = meta("payments")
    id = UnicodeAttribute(hash_key=True)
    merchant_id = UnicodeAttribute()
    invoice_id = UnicodeAttribute()
    customer_id = UnicodeAttribute()
    intent_id = UnicodeAttribute()
    charge_id = UnicodeAttribute(null=True)
    amount = NumberAttribute()
    currency = UnicodeAttribute()
    status = UnicodeAttribute()
    card_brand = UnicodeAttribute(null=True)
    card_last4 = UnicodeAttribute(null=True)
    fee = NumberAttribute(null=True)
    created_at = UTCDateTimeAttribute()


class Customer(Model):
    Meta = meta("customers")
    id = UnicodeAttribute(hash_key=True)
    merchant_id = UnicodeAttribute()
    email = UnicodeAttribute()
    name = UnicodeAttribute()
    created_at = UTCDateTimeAttribute()


class Mail(Model):
    Meta = meta("mails")
    id = UnicodeAttribute(hash_key=True)
    merchant_id = UnicodeAttribute()
    kind = UnicodeAttribute()
    to = UnicodeAttribute()
    about_id = UnicodeAttribute()
    created_at = UTCDateTimeAttribute()


class Counter(Model):
    Meta = meta("counters")
    id = UnicodeAttribute(hash_key=True)
    last = NumberAttribute(default=0)


class Subscription(Model):
    Meta = meta("subscriptions")
    id = UnicodeAttribute(hash_key=True)
    merchant_id = UnicodeAttribute()
    customer_id = UnicodeAttribute()
    currency = UnicodeAttribute()
    lines = ListAttribute(of=Line)
    total = NumberAttribute()
    stripe_customer = UnicodeAttribute()
    stripe_method = UnicodeAttribute()
    next_at = UTCDateTimeAttribute()


MODELS = [Merchant, PaymentLink, Checkout, Invoice, Payment, Customer, Mail, Counter, Subscription]


@app.route("/pay/{slug}/{token}", methods=["GET"])
def pay_page(slug, token):
    link_id, _, secret = token.partition("-")
    try:
        link = PaymentLink.get(link_id)
        merchant = Merchant.get(slug)
    except DoesNotExist:
        return Response("Not found", status_code=404, headers={"Content-Type": "text/plain"})
    if link.merchant_id != merchant.id or not secrets.compare_digest(link.secret, secret):
        return Response("Not found", status_code=404, headers={"Content-Type": "text/plain"})
    nonce = base64.b64encode(os.urandom(16)).decode()
    body = templates.get_template("pay.html").render(
        link=link,
        merchant=merchant,
        total=sum(line.amount for line in link.lines),
        nonce=nonce,
        publishable_key=PUBLISHABLE_KEY,
        post_url=f"{BASE_URL}/pay/{slug}/{token}",
        checkout_id=uuid.uuid4().hex,
    )
    headers = {
        "Content-Type": "text/html; charset=utf-8",
        "Cache-Control": "no-store",
        "Content-Security-Policy": f"default-src 'self'; script-src 'nonce-{nonce}' https://js.stripe.com",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(body, headers=headers)


@app.route("/webhooks/stripe", methods=["POST"], content_types=["application/json"])
def stripe_webhook():
    request = app.current_request
    try:
        event = stripe.Webhook.construct_event(
            request.raw_body, request.headers.get("stripe-signature", ""), WEBHOOK_SECRET
        )
    except (ValueError, stripe.SignatureVerificationError):
        return Response("Bad signature", status_code=400, headers={"Content-Type": "text/plain"})
    if event.type == "payment_intent.succeeded":
        intent = event.data.object
        if ASK_STRIPE:
            intent = client.v1.payment_intents.retrieve(
                intent.id,
                {"expand": ["latest_charge.balance_transaction"]},
                {"stripe_account": event.account},
            )
            if intent.status != "succeeded":
                return {"received": True}
        book(intent)
    return {"received": True}


def paid_with(charge):
    """The charge's id, the card and the fee, where the charge is there and not its id alone."""
    if charge is None or isinstance(charge, str):
        return {"charge_id": charge}
    card = charge.payment_method_details.card if charge.payment_method_details else None
    balance = charge.balance_transaction
    return {
        "charge_id": charge.id,
        "card_brand": card.brand if card else None,
        "card_last4": card.last4 if card else None,
        "fee": balance.fee if balance else None,
    }


def new_invoice(merchant, order, customer, now, **more):
    counter = Counter(merchant.id)
    counter.update(actions=[Counter.last.add(1)])
    return Invoice(
        uuid.uuid4().hex,
        merchant_id=merchant.id,
        secret=secrets.token_urlsafe(16),
        number=f"{merchant.invoice_prefix}{int(counter.last):04d}",
        customer_id=customer.id,
        currency=order.currency,
        lines=order.lines,
        total=order.total,
        seller_name=merchant.name,
        seller_address=merchant.address_lines,
        buyer_name=customer.name,
        buyer_email=customer.email,
        issued_at=now,
        **more,
    )


def new_payment(invoice, intent, now):
    return Payment(
        uuid.uuid4().hex,
        merchant_id=invoice.merchant_id,
        invoice_id=invoice.id,
        customer_id=invoice.customer_id,
        intent_id=intent.id,
        amount=intent.amount_received,
        currency=invoice.currency,
        status="succeeded",
        created_at=now,
        **paid_with(intent.latest_charge),
    )


def new_receipt(invoice, now):
    return Mail(
        f"receipt:{invoice.id}",
        merchant_id=invoice.merchant_id,
        kind="receipt",
        to=invoice.buyer_email,
        about_id=invoice.id,
        created_at=now,
    )


def book(intent):
    checkout = Checkout.get(intent.metadata["till_checkout"])
    if checkout.status == "paid":
        return
    if intent.amount_received != checkout.total or intent.id != checkout.intent_id:
        raise ValueError(f"{intent.id} is not what {checkout.id} asked for")
    merchant = Merchant.get(checkout.merchant_id)
    now = datetime.now(UTC)
    customer = Customer(
        f"{merchant.id}:{checkout.email}",
        merchant_id=merchant.id,
        email=checkout.email,
        name=checkout.name,
        created_at=now,
    )
    invoice = new_invoice(
        merchant,
        checkout,
        customer,
        now,
        checkout_id=checkout.id,
        link_id=checkout.link_id,
        amount_paid=intent.amount_received,
        status="paid",
        paid_at=now,
    )
    payment, mail = new_payment(invoice, intent, now), new_receipt(invoice, now)
    try:
        with TransactWrite(connection=connection) as transaction:
            transaction.update(
                checkout,
                actions=[
                    Checkout.status.set("paid"),
                    Checkout.invoice_id.set(invoice.id),
                    Checkout.completed_at.set(now),
                ],
                condition=Checkout.status == "open",
            )
            transaction.save(invoice, condition=Invoice.id.does_not_exist())
            transaction.save(payment, condition=Payment.id.does_not_exist())
            transaction.save(customer)
            transaction.save(mail)
            transaction.update(PaymentLink(checkout.link_id), actions=[PaymentLink.uses.add(1)])
    except TransactWriteError as error:
        if Checkout.get(checkout.id).status != "paid":
            raise RuntimeError("the payment could not be booked") from error


@app.on_sqs_message(queue="renewals", batch_size=1)
def renewals(event):
    for record in event:
        renew(record.body)


def renew(subscription_id):
    subscription = Subscription.get(subscription_id)
    now = datetime.now(UTC)
    if subscription.next_at > now:
        return
    merchant = Merchant.get(subscription.merchant_id)
    customer = Customer.get(subscription.customer_id)
    invoice = new_invoice(
        merchant, subscription, customer, now, subscription_id=subscription.id, amount_paid=0, status="open"
    )
    with TransactWrite(connection=connection) as transaction:
        transaction.update(
            subscription,
            actions=[Subscription.next_at.set(subscription.next_at + timedelta(days=30))],
            condition=Subscription.next_at == subscription.next_at,
        )
        transaction.save(invoice, condition=Invoice.id.does_not_exist())
    charge(subscription, merchant, invoice)


def charge(subscription, merchant, invoice):
    intent = client.v1.payment_intents.create(
        {
            "amount": int(invoice.total),
            "currency": invoice.currency,
            "customer": subscription.stripe_customer,
            "payment_method": subscription.stripe_method,
            "allowed_payment_method_types": ["card"],
            "off_session": True,
            "confirm": True,
            "expand": ["latest_charge.balance_transaction"],
        },
        {"idempotency_key": invoice.id, "stripe_account": merchant.stripe_account},
    )
    if intent.status != "succeeded":
        raise RuntimeError(f"{intent.id} is {intent.status}")
    now = datetime.now(UTC)
    payment, mail = new_payment(invoice, intent, now), new_receipt(invoice, now)
    with TransactWrite(connection=connection) as transaction:
        transaction.update(
            invoice,
            actions=[
                Invoice.status.set("paid"),
                Invoice.amount_paid.set(intent.amount_received),
                Invoice.paid_at.set(now),
            ],
            condition=Invoice.status == "open",
        )
        transaction.save(payment, condition=Payment.id.does_not_exist())
        transaction.save(mail)
