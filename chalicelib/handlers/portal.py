"""The buyers' portal: every route of it. Who is not signed in is led to the sign-in page, and gets nothing else.

Registered by the first who asks for one of its pages, as are the rooms that its views open.
"""

from __future__ import annotations

from chalice.app import Blueprint, Response

from chalicelib.handlers.boundary import html_page

portal = Blueprint(__name__)

FORM = ["application/x-www-form-urlencoded"]


def view_error(code: str, request_id: str) -> Response:
    """What a view's refusal looks like: a page, or JSON for a page's script."""
    from chalicelib.handlers.buyer_responses import error_answer, error_response, is_scripted

    scripted = is_scripted(portal.current_request)
    return error_answer(code, request_id) if scripted else error_response(code, request_id)


@portal.route("/portal/{slug}", methods=["GET"])
@html_page(portal, render_error=view_error)
def portal_home(slug: str) -> Response:
    """The sign-in page, or all that is the visitor's."""
    from chalicelib.handlers.portal_pages import show_home

    return show_home(portal.current_request, slug)


@portal.route("/portal/{slug}", methods=["POST"], content_types=FORM)
@html_page(portal, render_error=view_error)
def portal_ask(slug: str) -> Response:
    """An e-mail address, to which a link is mailed if it is known."""
    from chalicelib.handlers.portal_door import take_address

    return take_address(portal.current_request, slug)


@portal.route("/portal/{slug}/open/{token}", methods=["GET"])
@html_page(portal, render_error=view_error)
def portal_link(slug: str, token: str) -> Response:
    """Where a mailed link leads. Looking uses nothing up: mail scanners look too."""
    from chalicelib.handlers.portal_door import show_link

    return show_link(portal.current_request, slug, token)


@portal.route("/portal/{slug}/open/{token}", methods=["POST"], content_types=FORM)
@html_page(portal, render_error=view_error)
def portal_open(slug: str, token: str) -> Response:
    """The press that uses the link up and opens a session."""
    from chalicelib.handlers.portal_door import take_link

    return take_link(portal.current_request, slug, token)


@portal.route("/portal/{slug}/out", methods=["POST"], content_types=FORM)
@html_page(portal, render_error=view_error)
def portal_out(slug: str) -> Response:
    """Sign out."""
    from chalicelib.handlers.portal_door import take_out

    return take_out(portal.current_request, slug)


@portal.route("/portal/{slug}/subscriptions/{subscription_id}", methods=["GET"])
@html_page(portal, render_error=view_error)
def portal_subscription(slug: str, subscription_id: str) -> Response:
    """One subscription with its invoices."""
    from chalicelib.handlers.portal_pages import show_subscription

    return show_subscription(portal.current_request, slug, subscription_id)


@portal.route("/portal/{slug}/subscriptions/{subscription_id}/cancel", methods=["GET"])
@html_page(portal, render_error=view_error)
def portal_cancel(slug: str, subscription_id: str) -> Response:
    """The question whether to end it."""
    from chalicelib.handlers.portal_acts import show_cancel

    return show_cancel(portal.current_request, slug, subscription_id)


@portal.route("/portal/{slug}/subscriptions/{subscription_id}/cancel", methods=["POST"], content_types=FORM)
@html_page(portal, render_error=view_error)
def portal_cancel_submit(slug: str, subscription_id: str) -> Response:
    """The answer: at the end of what was paid."""
    from chalicelib.handlers.portal_acts import take_cancel

    return take_cancel(portal.current_request, slug, subscription_id)


@portal.route("/portal/{slug}/subscriptions/{subscription_id}/resume", methods=["POST"], content_types=FORM)
@html_page(portal, render_error=view_error)
def portal_resume(slug: str, subscription_id: str) -> Response:
    """A cancellation at period end, taken back."""
    from chalicelib.handlers.portal_acts import take_resume

    return take_resume(portal.current_request, slug, subscription_id)


@portal.route("/portal/{slug}/subscriptions/{subscription_id}/method", methods=["GET"])
@html_page(portal, render_error=view_error)
def portal_method(slug: str, subscription_id: str) -> Response:
    """Where another payment method is given."""
    from chalicelib.handlers.portal_method import show_method

    return show_method(portal.current_request, slug, subscription_id)


@portal.route("/portal/{slug}/subscriptions/{subscription_id}/method", methods=["POST"], content_types=FORM)
@html_page(portal, render_error=view_error)
def portal_method_submit(slug: str, subscription_id: str) -> Response:
    """The press of its button; JSON for the page's script."""
    from chalicelib.handlers.portal_method import take_method

    return take_method(portal.current_request, slug, subscription_id)


@portal.route("/portal/{slug}/subscriptions/{subscription_id}/method/{change}", methods=["GET"])
@html_page(portal, render_error=view_error)
def portal_method_return(slug: str, subscription_id: str, change: str) -> Response:
    """Where a bank's challenge and a lost answer lead: asks Stripe, then leads on, or waits."""
    from chalicelib.handlers.portal_method import show_return

    return show_return(portal.current_request, slug, subscription_id, change)


@portal.route("/portal/{slug}/subscriptions/{subscription_id}/method/{change}/status", methods=["GET"])
@html_page(portal, render_error=view_error)
def portal_method_status(slug: str, subscription_id: str, change: str) -> Response:
    """The same for the waiting page's script."""
    from chalicelib.handlers.portal_method import tell_status

    return tell_status(portal.current_request, slug, subscription_id, change)
