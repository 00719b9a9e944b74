"""What the API's document says of a value beyond its Python type: a format, a range, words, an example."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final


# Types that carry these are hashed, and a mapping cannot be: each is equal to itself only.
@dataclass(frozen=True, slots=True, eq=False)
class Keywords:
    """Keywords of JSON Schema 2020-12 that stand beside a type: `Annotated[str, Keywords({"format": "date"})]`.

    They describe and check nothing: what is sent in is checked by the validators of `api_types`.
    """

    keywords: Mapping[str, Any]

    def __get_pydantic_json_schema__(self, schema: Any, handler: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        # Found by pydantic by its name; pydantic itself is not imported here.
        return {**handler(schema), **self.keywords}


def shown(words: str | None = None, **keywords: Any) -> Keywords:
    """Keywords by name, with `words` as the description."""
    return Keywords(keywords if words is None else {"description": words, **keywords})


PREFIXES: Final[Mapping[str, str]] = {
    "account": "mer",
    "api_key": "key",
    "checkout": "chk",
    "customer": "cus",
    "event": "evt",
    "invoice": "inv",
    "link": "plink",
    "payment": "pay",
    "payment_link": "plink",
    "price": "price",
    "product": "prod",
    "refund": "ref",
    "subscription": "sub",
    "tax_rate": "txr",
}
"""The prefix of the ids of each kind of record, by the name that paths (`{customer_id}`) and filters give it."""

ULID: Final = "[0-7][0-9A-HJKMNP-TV-Z]{25}"


EXAMPLE_ULID: Final = "01MCCKG2G0Q8W5M1T7N3X6R2DE"
"""The body of every id in the document's examples, so that they all speak of one record of each kind."""


def id_pattern(prefix: str) -> str:
    """The pattern of the ids of one kind of record; a merchant's is made of its own name."""
    return "^mer_[a-z0-9-]+$" if prefix == "mer" else f"^{prefix}_{ULID}$"


def id_of(prefix: str) -> Keywords:
    """The keywords of the ids of one kind of record."""
    example = "mer_pinewood-studio" if prefix == "mer" else f"{prefix}_{EXAMPLE_ULID}"
    return Keywords({"pattern": id_pattern(prefix), "examples": [example]})
