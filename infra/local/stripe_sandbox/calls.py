"""One API request as an endpoint sees it: checked parameters, the account's ledger, and who asked."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from infra.local.stripe_sandbox.faults import JsonObject, empty_parameter
from infra.local.stripe_sandbox.world import Ledger, Origin, World


@dataclass(frozen=True, slots=True)
class Call:
    """A request after authentication and checking; `path` holds the ids taken from the address."""

    world: World
    ledger: Ledger
    params: dict[str, Any]
    path: dict[str, str]
    origin: Origin
    publishable: bool = False

    def given(self, name: str, default: Any = None) -> Any:
        """A parameter, or the default when it was not sent."""
        return self.params.get(name, default)

    def raise_event(self, kind: str, made: JsonObject, previous: JsonObject | None = None) -> None:
        """Record an event that this request caused."""
        self.world.raise_event(self.ledger, kind, made, self.origin, previous)


Endpoint = Callable[[Call], JsonObject]


def or_null(value: Any) -> Any:
    """Stripe stores an unset parameter as null."""
    return None if value == "" else value


def need(call: Call, name: str) -> str:
    """A parameter that has to be there and not be empty."""
    value = call.given(name)
    if value in (None, ""):
        raise empty_parameter(name)
    return str(value)


ADDRESS_FIELDS = ("city", "country", "line1", "line2", "postal_code", "state")


def full_address(given: Any) -> JsonObject | None:
    """An address with every field, unset ones null, as Stripe returns it."""
    if not given:
        return None
    return {name: or_null(given.get(name)) for name in ADDRESS_FIELDS}


def full_shipping(given: Any) -> JsonObject | None:
    """Shipping details with every field, as Stripe returns them."""
    if not given:
        return None
    return {
        "address": full_address(given.get("address")),
        "carrier": or_null(given.get("carrier")),
        "name": or_null(given.get("name")),
        "phone": or_null(given.get("phone")),
        "tracking_number": or_null(given.get("tracking_number")),
    }
