"""What the API answers of the buyers' portal."""

from __future__ import annotations

from typing import Annotated, Literal

from typing_extensions import TypedDict

from chalicelib.handlers.api.answer_parts import Metadata, SubscriptionId, Time, Url
from chalicelib.handlers.api.keywords import shown


class Portal(TypedDict):
    """What buyers may do in their portal."""

    cancel: Annotated[bool, shown("Whether they may end a subscription there, at the end of what is paid.")]


class PaymentMethodLink(TypedDict):
    """A link that was mailed to a subscription's customer, to the page that changes its payment method."""

    object: Literal["payment_method_link"]
    created_at: Time
    metadata: Metadata
    subscription: SubscriptionId
    url: Annotated[Url, shown("The page, without the key that is in the mail: whoever opens it has to sign in.")]
    sent_to: str
    expires_at: Time
