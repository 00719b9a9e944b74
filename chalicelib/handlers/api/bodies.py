"""The bodies that the API takes, resource by resource, and their way into the domain.

Imported inside API views only, as `chalicelib.handlers.api_types` explains.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from chalicelib.domain.billing.dunning import DEFAULT_DUNNING, LAST_DAY, MOST_STEPS, Dunning, LadderEnd
from chalicelib.domain.documents.links import AfterPayment
from chalicelib.handlers.api.keywords import shown
from chalicelib.handlers.api.line_bodies import Lines, OrderDiscount
from chalicelib.handlers.api_types import (
    Body,
    Currency,
    Email,
    Language,
    Metadata,
    PaymentId,
    Phone,
    PositiveAmount,
    Scope,
    StatementName,
    TimeZone,
    text,
)
from chalicelib.services.account import AccountChanges
from chalicelib.services.customers import CustomerChanges, NewCustomer
from chalicelib.services.links import LinkChanges, NewLink
from chalicelib.services.refunds.asking import AskedRefund

Name = Annotated[str, text(200)]
Message = Annotated[str, text(2000, lines=True)]


# --- payment links ----------------------------------------------------------------------------------------------------


class After(Body):
    """What happens after the payment."""

    message: Message | None = None

    def to_domain(self) -> AfterPayment:
        """The receipt page's additions."""
        return AfterPayment(self.message)


class PaymentLinkBody(Body):
    """A new link. Without `active` it is on if the merchant can take payments already."""

    name: Name
    currency: Currency
    lines: Lines
    discount: OrderDiscount | None = None
    after_payment: After | None = None
    metadata: Metadata | None = None
    active: bool | None = None

    def to_domain(self) -> NewLink:
        """The link to be made."""
        return NewLink(
            name=self.name,
            currency=self.currency,
            lines=tuple(line.to_domain(self.currency) for line in self.lines),
            discount=None if self.discount is None else self.discount.to_domain(self.currency),
            after_payment=AfterPayment() if self.after_payment is None else self.after_payment.to_domain(),
            metadata=self.metadata or {},
            active=self.active,
        )


class PaymentLinkUpdate(Body):
    """Changes to a link; its currency stays, and `activate` and `deactivate` switch it."""

    name: Name = ""
    lines: Lines = Field(default_factory=list)
    discount: OrderDiscount | None = None
    after_payment: After | None = None
    metadata: Metadata | None = None

    def to_domain(self, currency: str) -> LinkChanges:
        """The changes, in the link's currency."""
        given = self.model_fields_set
        changes: LinkChanges = {}
        if "name" in given:
            changes["name"] = self.name
        if "lines" in given:
            changes["lines"] = tuple(line.to_domain(currency) for line in self.lines)
        if "discount" in given:
            changes["discount"] = None if self.discount is None else self.discount.to_domain(currency)
        if "after_payment" in given:
            changes["after_payment"] = AfterPayment() if self.after_payment is None else self.after_payment.to_domain()
        if "metadata" in given:
            changes["metadata"] = self.metadata or {}
        return changes


# --- customers, account, actions --------------------------------------------------------------------------------------


class CustomerBody(Body):
    """A new customer."""

    email: Email
    name: Name | None = None
    company: Name | None = None
    phone: Phone | None = None
    language: Language | None = None
    tax_id: Annotated[str, text(50)] | None = None
    metadata: Metadata | None = None

    def to_domain(self) -> NewCustomer:
        """The customer to be made."""
        return NewCustomer(**self.given(null_means={"metadata": {}}))


class CustomerUpdate(Body):
    """Changes to a customer."""

    email: Email = ""
    name: Name | None = None
    company: Name | None = None
    phone: Phone | None = None
    language: Language | None = None
    tax_id: Annotated[str, text(50)] | None = None
    metadata: Metadata | None = None

    def to_domain(self) -> CustomerChanges:
        """The changes."""
        changes: CustomerChanges = {}
        changes.update(self.given(null_means={"metadata": {}}))  # type: ignore[typeddict-item] # same names, checked by a test
        return changes


class DunningBody(Body):
    """When a charge that failed is tried again, and what becomes of the subscription where none of the tries paid."""

    days: Annotated[
        list[Annotated[int, Field(ge=1, le=LAST_DAY)]],
        Field(min_length=1, max_length=MOST_STEPS),
        shown("Days after an invoice's first failure, each later than the one before.", examples=[[1, 3, 5, 7]]),
    ]
    then: Literal["unpaid", "pause", "cancel"]

    def to_domain(self) -> Dunning:
        """The setting. Raises InvalidValue for days that are not in order."""
        return Dunning(tuple(self.days), LadderEnd(self.then))


class PortalBody(Body):
    """What buyers may do in their portal."""

    cancel: bool


class AccountUpdate(Body):
    """Changes to the merchant's profile."""

    name: Name = ""
    timezone: TimeZone = ""
    support_email: Email | None = None
    statement_name: StatementName | None = None
    legal_name: Name | None = None
    address_lines: Annotated[list[Annotated[str, text(100)]], Field(max_length=6)] | None = None
    dunning: DunningBody | None = None
    portal: PortalBody | None = None

    def to_domain(self) -> AccountChanges:
        """The changes. Raises InvalidValue."""
        given = self.given(null_means={"address_lines": (), "dunning": DEFAULT_DUNNING})
        if self.dunning is not None:
            given["dunning"] = self.dunning.to_domain()
        if "address_lines" in given:
            given["address_lines"] = tuple(given["address_lines"])
        if "portal" in given:
            given["portal_cancel"] = self.portal is None or self.portal.cancel
            del given["portal"]
        changes: AccountChanges = {}
        changes.update(given)  # type: ignore[typeddict-item] # same names, checked by a test
        return changes


class ApiKeyBody(Body):
    """A new API key."""

    name: Annotated[str, text(100)]
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=100)]


class CancelBody(Body):
    """When a subscription ends."""

    at: Literal["period_end", "now"]


class RefundBody(Body):
    """A refund. Without `amount` all that is left of the payment goes back."""

    payment: PaymentId
    amount: PositiveAmount | None = None
    reason: Literal["duplicate", "fraudulent", "requested_by_customer"] | None = None
    metadata: Metadata | None = None

    def to_domain(self) -> AskedRefund:
        """What is asked for."""
        return AskedRefund(self.payment, self.amount, self.reason, self.metadata or {})


class NothingBody(Body):
    """An action that needs nothing to be said."""
