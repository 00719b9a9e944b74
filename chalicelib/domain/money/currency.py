"""The currencies that Stripe takes, and its rules for amounts in them: data with its source, no opinion of ours.

Source of exponents, steps and limits: https://docs.stripe.com/currencies (sections "Zero-decimal currencies",
"Three-decimal currencies", "Special cases", "Minimum and maximum charge amounts"). Source of the list of codes: the
answer of Stripe's API to an unknown currency (`Stripe currently supports these currencies: …`), less the ones whose
country has since moved to the euro and the retired codes at the end of that answer.
"""

from __future__ import annotations

from typing import Final

from chalicelib.domain.errors import InvalidValue
from chalicelib.domain.money.amounts import Money
from chalicelib.domain.money.rounding import divide_half_up

_TWO_DECIMALS: Final = frozenset({
    "usd", "aed", "afn", "all", "amd", "ang", "aoa", "ars", "aud", "awg", "azn", "bam", "bbd", "bdt", "bmd", "bnd",
    "bob", "brl", "bsd", "bwp", "byn", "bzd", "cad", "cdf", "chf", "cny", "cop", "crc", "cve", "czk", "dkk", "dop",
    "dzd", "egp", "etb", "eur", "fjd", "fkp", "gbp", "gel", "ghs", "gip", "gmd", "gtq", "gyd", "hkd", "hnl", "htg",
    "huf", "idr", "ils", "inr", "jmd", "kes", "kgs", "khr", "kyd", "kzt", "lak", "lbp", "lkr", "lrd", "lsl", "mad",
    "mdl", "mkd", "mmk", "mnt", "mop", "mur", "mvr", "mwk", "mxn", "myr", "mzn", "nad", "ngn", "nio", "nok", "npr",
    "nzd", "pab", "pen", "pgk", "php", "pkr", "pln", "qar", "ron", "rsd", "rub", "sar", "sbd", "scr", "sek", "sgd",
    "shp", "sle", "sos", "srd", "std", "szl", "thb", "tjs", "top", "try", "ttd", "twd", "tzs", "uah", "uyu", "uzs",
    "wst", "xcd", "yer", "zar", "zmw",
})  # fmt: skip
_ZERO_DECIMALS: Final = frozenset({
    "bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf",
})  # fmt: skip
_THREE_DECIMALS: Final = frozenset({
    "bhd", "jod", "kwd", "omr", "tnd",
})  # fmt: skip
# These have no fractions any more, but Stripe still counts them in hundredths that must be 00: 5 isk is 500.
_WHOLE_IN_HUNDREDTHS: Final = frozenset({"isk", "ugx"})
_CURRENCIES: Final = _TWO_DECIMALS | _ZERO_DECIMALS | _THREE_DECIMALS | _WHOLE_IN_HUNDREDTHS

# Stripe's minimum belongs to the currency that an account settles in; where the charge is in another one, the
# equivalent counts, which only Stripe can know. So this refuses what is certainly too little, and Stripe the rest.
_MINIMUM_CHARGE: Final = {
    "usd": 50, "aed": 200, "ars": 50, "aud": 50, "brl": 50, "cad": 50, "chf": 50, "cop": 50, "czk": 1_500, "dkk": 250,
    "eur": 50, "gbp": 30, "hkd": 400, "huf": 17_500, "idr": 50, "ils": 50, "inr": 50, "jpy": 50, "krw": 50,
    "mxn": 1_000, "myr": 200, "nok": 300, "nzd": 50, "php": 50, "pln": 200, "ron": 200, "rub": 50, "sek": 300,
    "sgd": 50, "thb": 1_000, "zar": 50,
}  # fmt: skip

MAXIMUM_CHARGE: Final = 99_999_999
"""Eight digits of minor units: the limit that holds for every currency and payment method."""


def is_currency(code: str) -> bool:
    """Whether the text is a currency that Stripe charges, written in lower case."""
    return code in _CURRENCIES


def _known(currency: str) -> str:
    if currency not in _CURRENCIES:
        raise InvalidValue("This is not a currency that can be charged.", "currency", "invalid_currency")
    return currency


def exponent(currency: str) -> int:
    """How many decimals an amount is written with: 0, 2 or 3. Raises InvalidValue for an unknown currency."""
    if _known(currency) in _ZERO_DECIMALS:
        return 0
    return 3 if currency in _THREE_DECIMALS else 2


def step(currency: str) -> int:
    """What an amount to be charged must be a multiple of. Raises InvalidValue for an unknown currency."""
    if _known(currency) in _THREE_DECIMALS:
        return 10
    return 100 if currency in _WHOLE_IN_HUNDREDTHS else 1


def minimum_charge(currency: str) -> int | None:
    """The least that Stripe charges, in minor units; None where Stripe publishes none for the currency."""
    return _MINIMUM_CHARGE.get(_known(currency))


def round_to_step(amount: Money) -> Money:
    """The nearest amount that Stripe accepts in this currency, a half going away from zero."""
    size = step(amount.currency)
    return Money(divide_half_up(amount.minor, size) * size, amount.currency)


def can_be_charged(amount: Money) -> bool:
    """Whether an invoice may come to this: zero, which is settled without a charge, or what Stripe charges."""
    least = minimum_charge(amount.currency) or 0
    return amount.minor == 0 or max(1, least) <= amount.minor <= MAXIMUM_CHARGE


def check_chargeable(amount: Money, param: str | None = None) -> None:
    """Refuse what Stripe would refuse; zero passes, because it is settled without a charge.

    Raises InvalidValue with `below_minimum` (also for an amount below zero) or `above_maximum`; `param` names the
    field.
    """
    least = minimum_charge(amount.currency)
    if amount.minor > MAXIMUM_CHARGE:
        raise InvalidValue(
            f"The amount is above the largest that can be charged, {MAXIMUM_CHARGE}.", param, "above_maximum"
        )
    if amount.minor < 0:
        raise InvalidValue("The amount is below zero.", param, "below_minimum")
    if amount.minor != 0 and least is not None and amount.minor < least:
        raise InvalidValue(
            f"The amount is below the smallest that can be charged in {amount.currency}, {least}.",
            param,
            "below_minimum",
        )
