"""Which amounts Stripe takes in which currency.

Source: https://docs.stripe.com/currencies (supported currencies, zero- and three-decimal ones, minimum and maximum
amounts). Amounts are integers of minor units.
"""

from typing import Final

from infra.local.stripe_sandbox.faults import malformed

SUPPORTED: Final = frozenset({
    "usd", "aed", "afn", "all", "amd", "ang", "aoa", "ars", "aud", "awg", "azn", "bam", "bbd", "bdt", "bgn", "bhd",
    "bif", "bmd", "bnd", "bob", "brl", "bsd", "bwp", "byn", "bzd", "cad", "cdf", "chf", "clp", "cny", "cop", "crc",
    "cve", "czk", "djf", "dkk", "dop", "dzd", "egp", "etb", "eur", "fjd", "fkp", "gbp", "gel", "gip", "gmd", "gnf",
    "gtq", "gyd", "hkd", "hnl", "htg", "huf", "idr", "ils", "inr", "isk", "jmd", "jod", "jpy", "kes", "kgs", "khr",
    "kmf", "krw", "kwd", "kyd", "kzt", "lak", "lbp", "lkr", "lrd", "lsl", "mad", "mdl", "mga", "mkd", "mmk", "mnt",
    "mop", "mur", "mvr", "mwk", "mxn", "myr", "mzn", "nad", "ngn", "nio", "nok", "npr", "nzd", "omr", "pab", "pen",
    "pgk", "php", "pkr", "pln", "pyg", "qar", "ron", "rsd", "rub", "rwf", "sar", "sbd", "scr", "sek", "sgd", "shp",
    "sle", "sos", "srd", "std", "szl", "thb", "tjs", "tnd", "top", "try", "ttd", "twd", "tzs", "uah", "ugx", "uyu",
    "uzs", "vnd", "vuv", "wst", "xaf", "xcd", "xcg", "xof", "xpf", "yer", "zar", "zmw",
})  # fmt: skip
ZERO_DECIMAL: Final = frozenset({
    "bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf",
})  # fmt: skip
THREE_DECIMAL: Final = frozenset({"bhd", "jod", "kwd", "omr", "tnd"})
# Written with two decimals for backward compatibility, although their decimals must be 00.
WHOLE_UNITS_ONLY: Final = frozenset({"isk", "ugx"})

MINIMUM: Final = {
    "usd": 50, "aed": 200, "aud": 50, "bgn": 100, "brl": 50, "cad": 50, "chf": 50, "czk": 1500, "dkk": 250, "eur": 50,
    "gbp": 30, "hkd": 400, "huf": 17500, "inr": 50, "jpy": 50, "mxn": 1000, "myr": 200, "nok": 300, "nzd": 50,
    "pln": 200, "ron": 200, "sek": 300, "sgd": 50, "thb": 1000,
}  # fmt: skip
MAXIMUM_DIGITS: Final = 8
_SYMBOLS: Final = {"usd": "$", "eur": "€", "gbp": "£", "jpy": "¥", "cad": "$", "aud": "$"}


def decimals(currency: str) -> int:
    """How many decimals the API's minor units stand for."""
    return 0 if currency in ZERO_DECIMAL else 3 if currency in THREE_DECIMAL else 2


def spoken(amount: int, currency: str) -> str:
    """The amount as Stripe's messages write it: `$0.50`."""
    places = decimals(currency)
    return f"{_SYMBOLS.get(currency, '')}{amount / 10**places:,.{places}f}"


def check_currency(currency: str) -> str:
    """Return the currency in lower case, or raise Stripe's refusal of one it does not have."""
    lowered = currency.lower()
    if lowered not in SUPPORTED:
        raise malformed(
            f"Invalid currency: {currency}. Stripe currently supports these currencies: {', '.join(sorted(SUPPORTED))}",
            param="currency",
        )
    return lowered


def check_amount(amount: int, currency: str, *, param: str = "amount") -> int:
    """Return the amount if it can be charged, or raise.

    Positive: https://docs.stripe.com/api/payment_intents/create#create_payment_intent-amount; at most eight digits: the
    same; minimum: https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts; steps of three-decimal
    currencies: https://docs.stripe.com/currencies#three-decimal.
    """
    if amount < 1:
        raise malformed("This value must be greater than or equal to 1.", code="parameter_invalid_integer", param=param)
    if len(str(amount)) > MAXIMUM_DIGITS:
        largest = spoken(10**MAXIMUM_DIGITS - 1, currency)
        raise malformed(f"Amount must be no more than {largest}", code="amount_too_large", param=param)
    if amount < MINIMUM.get(currency, 1):
        smallest = spoken(MINIMUM[currency], currency)
        raise malformed(f"Amount must be at least {smallest} {currency}", code="amount_too_small", param=param)
    check_step(amount, currency, param=param)
    return amount


def check_step(amount: int, currency: str, *, param: str = "amount") -> None:
    """Raise for an amount between the steps of its currency (https://docs.stripe.com/currencies#special-cases)."""
    if currency in THREE_DECIMAL and amount % 10:
        raise malformed(
            f"Invalid amount: {amount}. The least-significant digit of an amount in {currency} must be 0.", param=param
        )
    if currency in WHOLE_UNITS_ONLY and amount % 100:
        raise malformed(f"Invalid amount: {amount}. Amounts in {currency} must be divisible by 100.", param=param)
