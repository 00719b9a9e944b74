"""Movements on an account's balance: fees, and the currency it is paid out in.

https://docs.stripe.com/api/balance_transactions; conversion: https://docs.stripe.com/currencies/conversions
"""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from infra.local.stripe_sandbox.calls import Call
from infra.local.stripe_sandbox.currencies import decimals
from infra.local.stripe_sandbox.faults import JsonObject
from infra.local.stripe_sandbox.world import Ledger, World, new_id

FEE_PER_CENT: Final = Decimal("2.9")
FEE_FIXED: Final = 30
_SETTLING_SECONDS: Final = 2 * 24 * 3600
# US dollars for one unit. Made up, and fixed so that tests can be exact; an account settles what is not here as it is.
_DOLLARS: Final = {
    "usd": Decimal(1), "eur": Decimal("1.08"), "gbp": Decimal("1.27"), "cad": Decimal("0.73"), "aud": Decimal("0.66"),
    "nzd": Decimal("0.6"), "chf": Decimal("1.13"), "pln": Decimal("0.25"), "czk": Decimal("0.043"),
    "dkk": Decimal("0.145"), "sek": Decimal("0.095"), "nok": Decimal("0.094"), "jpy": Decimal("0.0067"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Settled:
    """An amount in the currency of the balance; `rate` is null where nothing was converted."""

    amount: int
    currency: str
    rate: float | None


def settle(amount: int, currency: str, into: str) -> Settled:
    """Convert an amount to the account's currency, rounding half up."""
    if currency == into or currency not in _DOLLARS or into not in _DOLLARS:
        return Settled(amount, currency, None)
    rate = (_DOLLARS[currency] / _DOLLARS[into]).quantize(Decimal("0.000001"), rounding=ROUND_HALF_UP)
    units = Decimal(amount).scaleb(-decimals(currency)) * rate
    return Settled(_half_up(units.scaleb(decimals(into))), into, float(rate))


def processing_fee(amount: int, currency: str) -> int:
    """Stripe's fee in minor units: 2.9 per cent, rounded half up, and 30 cents."""
    return _half_up(Decimal(amount) * FEE_PER_CENT / 100) + FEE_FIXED * (10 if decimals(currency) == 3 else 1)


def _half_up(number: Decimal) -> int:
    return int(number.quantize(Decimal(1), rounding=ROUND_HALF_UP))


def book(
    world: World,
    ledger: Ledger,
    settled: Settled,
    *,
    source: str,
    kind: str,
    category: str,
    fees: list[JsonObject],
    description: str | None,
) -> JsonObject:
    """Store one movement; net = amount - fees."""
    fee = sum(int(detail["amount"]) for detail in fees)
    return ledger.put(
        {
            "id": new_id("txn_"),
            "object": "balance_transaction",
            "amount": settled.amount,
            "available_on": world.now() + _SETTLING_SECONDS,
            "balance_type": "payments",
            "created": world.now(),
            "currency": settled.currency,
            "description": description,
            "exchange_rate": settled.rate,
            "fee": fee,
            "fee_details": fees,
            "net": settled.amount - fee,
            "reporting_category": category,
            "source": source,
            "status": "pending",
            "type": kind,
        }
    )


def retrieve_balance_transaction(call: Call) -> JsonObject:
    """GET /v1/balance_transactions/{id}."""
    return call.ledger.get("balance_transaction", call.path["id"], param="id", in_path=True)
