"""Which endpoints the sandbox has: the ones Till calls, each with its parameter type and what of it is modelled."""

import re
from dataclasses import dataclass
from typing import Final

from stripe import params as package
from stripe.params import test_helpers

from infra.local.stripe_sandbox import (
    accounts,
    balance,
    charges,
    confirmation_tokens,
    customers,
    listings,
    payment_intents,
    payment_methods,
    refunds,
    setup_intents,
)
from infra.local.stripe_sandbox.calls import Call, Endpoint
from infra.local.stripe_sandbox.faults import JsonObject
from infra.local.stripe_sandbox.payment_confirmation import confirm_intent

_EXPAND: Final = frozenset({"expand"})
_PAGE: Final = frozenset({"ending_before", "expand", "limit", "starting_after"})


@dataclass(frozen=True, slots=True)
class Route:
    """One endpoint: `name` is its line as written below, `params` is the package's TypedDict.

    `modelled` are the parameters the endpoint acts on; others that Stripe has are refused, never ignored.
    """

    name: str
    method: str
    pattern: re.Pattern[str]
    params: type
    modelled: frozenset[str]
    answers: str
    endpoint: Endpoint
    is_list: bool = False
    publishable: bool = False


def _confirm_payment(call: Call) -> JsonObject:
    return confirm_intent(call, payment_intents.find_intent(call.ledger, call))


def _route(
    line: str,
    params: type,
    modelled: frozenset[str],
    answers: str,
    endpoint: Endpoint,
    *,
    is_list: bool = False,
    publishable: bool = False,
) -> Route:
    method, path = line.split(" ")
    pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path)
    return Route(line, method, re.compile(f"^{pattern}$"), params, modelled, answers, endpoint, is_list, publishable)


def _list(path: str, params: type, kind: str, *filters: str, dated: bool = True) -> Route:
    modelled = _PAGE | frozenset(filters) | (frozenset({"created"}) if dated else frozenset())
    return _route(f"GET {path}", params, modelled, kind, listings.list_of(kind, path, *filters), is_list=True)


ROUTES: Final = (
    _route(
        "POST /v1/customers",
        package.CustomerCreateParams,
        customers.CREATE_MODELLED,
        "customer",
        customers.create_customer,
    ),
    _list("/v1/customers", package.CustomerListParams, "customer", "email"),
    _route("GET /v1/customers/{id}", package.CustomerRetrieveParams, _EXPAND, "customer", customers.retrieve_customer),
    _route(
        "POST /v1/customers/{id}",
        package.CustomerUpdateParams,
        customers.UPDATE_MODELLED,
        "customer",
        customers.update_customer,
    ),
    _route(
        "GET /v1/customers/{customer}/payment_methods",
        package.CustomerPaymentMethodListParams,
        _PAGE | {"type"},
        "payment_method",
        listings.list_customers_payment_methods,
        is_list=True,
    ),
    _route(
        "GET /v1/customers/{customer}/payment_methods/{id}",
        package.CustomerPaymentMethodRetrieveParams,
        _EXPAND,
        "payment_method",
        payment_methods.retrieve_customers_payment_method,
    ),
    _list("/v1/payment_methods", package.PaymentMethodListParams, "payment_method", "customer", "type", dated=False),
    _route(
        "GET /v1/payment_methods/{id}",
        package.PaymentMethodRetrieveParams,
        _EXPAND,
        "payment_method",
        payment_methods.retrieve_payment_method,
    ),
    _route(
        "POST /v1/payment_methods/{id}/attach",
        package.PaymentMethodAttachParams,
        frozenset({"customer", "expand"}),
        "payment_method",
        payment_methods.attach_payment_method,
    ),
    _route(
        "POST /v1/payment_methods/{id}/detach",
        package.PaymentMethodDetachParams,
        _EXPAND,
        "payment_method",
        payment_methods.detach_payment_method,
    ),
    _route(
        "GET /v1/confirmation_tokens/{id}",
        package.ConfirmationTokenRetrieveParams,
        _EXPAND,
        "confirmation_token",
        confirmation_tokens.retrieve_token,
    ),
    _route(
        "POST /v1/test_helpers/confirmation_tokens",
        test_helpers.ConfirmationTokenCreateParams,
        confirmation_tokens.CREATE_MODELLED,
        "confirmation_token",
        confirmation_tokens.create_test_token,
    ),
    _route(
        "POST /v1/payment_intents",
        package.PaymentIntentCreateParams,
        payment_intents.CREATE_MODELLED,
        "payment_intent",
        payment_intents.create_intent,
    ),
    _list("/v1/payment_intents", package.PaymentIntentListParams, "payment_intent", "customer"),
    _route(
        "GET /v1/payment_intents/{id}",
        package.PaymentIntentRetrieveParams,
        frozenset({"client_secret", "expand"}),
        "payment_intent",
        payment_intents.retrieve_intent,
        publishable=True,
    ),
    _route(
        "POST /v1/payment_intents/{id}",
        package.PaymentIntentUpdateParams,
        payment_intents.UPDATE_MODELLED,
        "payment_intent",
        payment_intents.update_intent,
    ),
    _route(
        "POST /v1/payment_intents/{id}/confirm",
        package.PaymentIntentConfirmParams,
        payment_intents.CONFIRM_MODELLED,
        "payment_intent",
        _confirm_payment,
    ),
    _route(
        "POST /v1/payment_intents/{id}/cancel",
        package.PaymentIntentCancelParams,
        payment_intents.CANCEL_MODELLED,
        "payment_intent",
        payment_intents.cancel_intent,
    ),
    _route(
        "POST /v1/setup_intents",
        package.SetupIntentCreateParams,
        setup_intents.CREATE_MODELLED,
        "setup_intent",
        setup_intents.create_setup,
    ),
    _list("/v1/setup_intents", package.SetupIntentListParams, "setup_intent", "customer", "payment_method"),
    _route(
        "GET /v1/setup_intents/{id}",
        package.SetupIntentRetrieveParams,
        frozenset({"client_secret", "expand"}),
        "setup_intent",
        setup_intents.retrieve_setup,
        publishable=True,
    ),
    _route(
        "POST /v1/setup_intents/{id}/confirm",
        package.SetupIntentConfirmParams,
        setup_intents.CONFIRM_MODELLED,
        "setup_intent",
        setup_intents.confirm_setup,
    ),
    _route(
        "POST /v1/setup_intents/{id}/cancel",
        package.SetupIntentCancelParams,
        setup_intents.CANCEL_MODELLED,
        "setup_intent",
        setup_intents.cancel_setup,
    ),
    _list("/v1/charges", package.ChargeListParams, "charge", "customer", "payment_intent"),
    _route("GET /v1/charges/{id}", package.ChargeRetrieveParams, _EXPAND, "charge", charges.retrieve_charge),
    _list(
        "/v1/balance_transactions",
        package.BalanceTransactionListParams,
        "balance_transaction",
        "currency",
        "source",
        "type",
    ),
    _route(
        "GET /v1/balance_transactions/{id}",
        package.BalanceTransactionRetrieveParams,
        _EXPAND,
        "balance_transaction",
        balance.retrieve_balance_transaction,
    ),
    _route("POST /v1/refunds", package.RefundCreateParams, refunds.CREATE_MODELLED, "refund", refunds.create_refund),
    _list("/v1/refunds", package.RefundListParams, "refund", "charge", "payment_intent"),
    _route("GET /v1/refunds/{id}", package.RefundRetrieveParams, _EXPAND, "refund", refunds.retrieve_refund),
    _route(
        "POST /v1/refunds/{id}",
        package.RefundUpdateParams,
        refunds.UPDATE_MODELLED,
        "refund",
        refunds.update_refund,
    ),
    _route(
        "GET /v1/events",
        package.EventListParams,
        _PAGE | {"created", "delivery_success", "type", "types"},
        "event",
        listings.list_events,
        is_list=True,
    ),
    _route("GET /v1/events/{id}", package.EventRetrieveParams, _EXPAND, "event", listings.retrieve_event),
    _route("GET /v1/account", package.AccountRetrieveParams, _EXPAND, "account", accounts.retrieve_account),
    _route("GET /v1/accounts/{id}", package.AccountRetrieveParams, _EXPAND, "account", accounts.retrieve_account),
)


def find_route(method: str, path: str) -> tuple[Route, dict[str, str]] | None:
    """The endpoint of a request and the ids in its address."""
    for route in ROUTES:
        if route.method == method:
            match = route.pattern.match(path)
            if match is not None:
                return route, match.groupdict()
    return None
