"""What a number of units costs: at one price each, or by a table of tiers. Pure, and nothing here is ever rounded.

The words are Stripe's (docs.stripe.com/subscriptions/pricing-models/tiered-pricing, docs.stripe.com/api/prices/create,
`tiers`): a tier reaches up to and including its `up_to` and begins one above the tier before it, the last one is open.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from chalicelib.domain.errors import FieldError, TillError
from chalicelib.domain.money.amounts import Money

MOST_TIERS: Final = 50
"""Tiers of one price: more than anybody prints, and few enough to be copied onto every line."""


class PriceModel(StrEnum):
    """FLAT has one amount a unit; the others have tiers.

    VOLUME: all units at the price of the tier that the quantity reaches. GRADUATED: each tier prices its own units.
    STAIRSTEP: one amount for the whole tier that the quantity reaches, however many units.
    """

    FLAT = "flat"
    VOLUME = "volume"
    GRADUATED = "graduated"
    STAIRSTEP = "stairstep"


@dataclass(frozen=True, slots=True)
class Tier:
    """One tier; `up_to` is the last quantity in it, None for no end. `amount` is a unit's, in stairstep the tier's."""

    up_to: int | None
    amount: Money


@dataclass(frozen=True, slots=True)
class Portion:
    """Units that cost the same. `unit_amount` is None where the units have no price of their own (stairstep)."""

    quantity: int
    unit_amount: Money | None
    amount: Money


@dataclass(frozen=True, slots=True)
class TierTable:
    """A whole table of tiers, ascending, all in one currency, the last without end: every quantity has a price.

    Raises TillError for a table that is none, with all that is wrong by its path below `tiers`.
    """

    model: PriceModel
    tiers: tuple[Tier, ...]

    def __post_init__(self) -> None:
        problems = _problems(self.model, self.tiers)
        if problems:
            raise TillError(problems[0].code, problems[0].message, problems[0].param, tuple(problems))

    @property
    def currency(self) -> str:
        """The one currency of all tiers."""
        return self.tiers[0].amount.currency

    def amount(self, quantity: int) -> Money:
        """What that many units cost, at least one."""
        return Money.total((portion.amount for portion in self.portions(quantity)), self.currency)

    def portions(self, quantity: int) -> tuple[Portion, ...]:
        """How the amount comes about: one portion, or in graduated one for each tier that is reached."""
        if self.model is PriceModel.GRADUATED:
            return self._own_units_of_each(quantity)
        reached = next(tier for tier in self.tiers if tier.up_to is None or quantity <= tier.up_to)
        if self.model is PriceModel.STAIRSTEP:
            return (Portion(quantity, None, reached.amount),)
        return (Portion(quantity, reached.amount, reached.amount * quantity),)

    def _own_units_of_each(self, quantity: int) -> tuple[Portion, ...]:
        portions, counted = [], 0
        for tier in self.tiers:
            own = quantity - counted if tier.up_to is None else min(quantity, tier.up_to) - counted
            portions.append(Portion(own, tier.amount, tier.amount * own))
            counted += own
            if counted == quantity:
                break
        return tuple(portions)


Pricing = Money | TierTable
"""A price as far as arithmetic goes: an amount a unit, or tiers."""


def pricing_of(unit_amount: Money | None, tiers: TierTable | None) -> Pricing:
    """The one of both that there is. Raises ValueError for both or none: nobody could say what that costs."""
    if unit_amount is not None and tiers is None:
        return unit_amount
    if tiers is not None and unit_amount is None:
        return tiers
    raise ValueError("there is either a unit amount or a table of tiers")


def amount_of(pricing: Pricing, quantity: int) -> Money:
    """What that many units cost."""
    return pricing * quantity if isinstance(pricing, Money) else pricing.amount(quantity)


def portions_of(pricing: Pricing, quantity: int) -> tuple[Portion, ...]:
    """How that comes about."""
    if isinstance(pricing, TierTable):
        return pricing.portions(quantity)
    return (Portion(quantity, pricing, pricing * quantity),)


def model_of(pricing: Pricing) -> PriceModel:
    """Which of the four models it is."""
    return PriceModel.FLAT if isinstance(pricing, Money) else pricing.model


def _problems(model: PriceModel, tiers: tuple[Tier, ...]) -> list[FieldError]:
    if model is PriceModel.FLAT:
        return [FieldError("tiers", "invalid_value", "A flat price has no tiers.")]
    if not 1 <= len(tiers) <= MOST_TIERS:
        return [FieldError("tiers", "out_of_range", f"A price has 1 to {MOST_TIERS} tiers.")]
    problems, reached = [], 0
    for position, tier in enumerate(tiers):
        path, is_last = f"tiers.{position}", position == len(tiers) - 1
        if tier.amount.minor < 0:
            problems.append(FieldError(path, "out_of_range", "The amount of a tier is at least 0."))
        if tier.amount.currency != tiers[0].amount.currency:
            problems.append(FieldError(path, "currency_mismatch", "All tiers are in one currency."))
        if tier.up_to is None:
            if not is_last:
                message = "Only the last tier is without end."
                problems.append(FieldError(f"{path}.up_to", "invalid_value", message))
            continue
        if is_last:
            message = "The last tier has no end: every quantity must have a price."
            problems.append(FieldError(f"{path}.up_to", "invalid_value", message))
        if tier.up_to <= reached:
            message = "A tier reaches further than the one before it." if position else "A tier reaches 1 at least."
            problems.append(FieldError(f"{path}.up_to", "out_of_range", message))
        reached = max(reached, tier.up_to)
    return problems
