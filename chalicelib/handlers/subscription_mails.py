"""Writes the mails about a subscription, from the records as they are when the mail is sent."""

from __future__ import annotations

from chalicelib import wiring
from chalicelib.domain.documents.mails import Mail, MailKind
from chalicelib.domain.documents.merchants import Merchant
from chalicelib.domain.documents.subscriptions import Subscription
from chalicelib.domain.machines import SubscriptionStatus
from chalicelib.handlers import presenting
from chalicelib.services.ports import Ports
from chalicelib.services.subscriptions import ends_at
from chalicelib.web.render_mails import render_subscription_mail
from chalicelib.web.views.mail import RenderedMail
from chalicelib.web.views.subscription_mail import SubscriptionMail, SubscriptionNews

KINDS = frozenset({MailKind.SUBSCRIPTION_CANCELED, MailKind.SUBSCRIPTION_ENDED})


def compose_news(ports: Ports, mail: Mail) -> tuple[Merchant, RenderedMail] | None:
    """The mail as it should read now, and whose it is; None when it is not so any more."""
    subscription, merchant = ports.records.find_many([(Subscription, mail.about_id), (Merchant, mail.merchant_id)])
    if subscription is None or merchant is None:
        return None
    view = _view(mail, subscription, merchant)
    return None if view is None else (merchant, render_subscription_mail(view))


def _view(mail: Mail, subscription: Subscription, merchant: Merchant) -> SubscriptionMail | None:
    at = None
    if mail.kind is MailKind.SUBSCRIPTION_CANCELED:
        if not subscription.has_ended:
            # Taken back before this mail went out: it says what is not so any more.
            if not subscription.cancel_at_period_end:
                return None
            at = ends_at(subscription, mail.created_at)
        news = SubscriptionNews.CANCELED
    else:
        news = SubscriptionNews.ENDED
    return SubscriptionMail(
        merchant=presenting.merchant_view(merchant),
        news=news,
        name=subscription.lines[0].name,
        told_at=mail.created_at,
        email=mail.to,
        url=presenting.portal_url(wiring.settings().public_base_url, merchant, f"/subscriptions/{subscription.id}"),
        at=at,
        paid_up=subscription.status is SubscriptionStatus.EXPIRED,
    )
