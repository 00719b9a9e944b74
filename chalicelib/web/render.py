"""Pages from views. Escaping is on for every template, and a name that a template misspells is an error."""

from __future__ import annotations

from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jinja2 import BaseLoader, ChoiceLoader, Environment, FileSystemLoader, ModuleLoader, StrictUndefined

from chalicelib.web.speech import Speech
from chalicelib.web.static_files import asset_url

if TYPE_CHECKING:
    from chalicelib.web.views.cancel import CancelledPage, CancelPage
    from chalicelib.web.views.common import MerchantView
    from chalicelib.web.views.invoice import InvoicePage
    from chalicelib.web.views.pay import PayPage
    from chalicelib.web.views.portal import HomePage, LinkSentPage, OpenPage, SignInPage, SubscriptionPage
    from chalicelib.web.views.receipt import CheckingPage, ReceiptPage
    from chalicelib.web.views.reference import ReferencePage
    from chalicelib.web.views.states import StatePage


_SOURCES: Final = Path(__file__).parent / "templates"
COMPILED: Final = Path(__file__).parent / "compiled"
"""Where a package has its templates as Python modules: a first page then needs neither to parse nor to compile one."""


def _environment_of(loader: BaseLoader) -> Environment:
    return Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )


@cache
def _environment() -> Environment:
    return _environment_of(ChoiceLoader([ModuleLoader(COMPILED), FileSystemLoader(_SOURCES)]))


def compile_templates() -> None:
    """Write each template as a Python module where pages look first; what packages calls it, in the package itself."""
    _environment_of(FileSystemLoader(_SOURCES)).compile_templates(COMPILED, zip=None, ignore_errors=False)


def rendered(
    template: str, page: object, merchant: MerchantView | None, locale: str, root: str = "", **more: Any
) -> str:
    """What a template makes of a view; the words of `more` are for this template alone."""
    return (
        _environment()
        .get_template(template)
        .render(
            page=page,
            merchant=merchant,
            say=Speech(locale, merchant.timezone if merchant else "UTC"),
            locale=locale,
            asset_url=partial(asset_url, root=root),
            **more,
        )
    )


def render_pay_page(page: PayPage, locale: str = "en", root: str = "") -> str:
    """A link's page with its form. The answer's headers must carry the page's nonce."""
    return rendered("pay.html", page, page.merchant, locale, root)


def render_receipt_page(page: ReceiptPage, locale: str = "en", root: str = "") -> str:
    """What follows a payment, a stored method or a bank payment that has begun."""
    return rendered("receipt.html", page, page.merchant, locale, root)


def render_checking_page(page: CheckingPage, locale: str = "en", root: str = "") -> str:
    """The wait for an outcome; it works without script too."""
    return rendered("checking.html", page, page.merchant, locale, root)


def render_invoice_page(page: InvoicePage, locale: str = "en", root: str = "") -> str:
    """The hosted invoice."""
    return rendered("invoice.html", page, page.merchant, locale, root)


def render_cancel_page(page: CancelPage, locale: str = "en", root: str = "") -> str:
    """The question whether to end a subscription."""
    return rendered("cancel.html", page, page.merchant, locale, root)


def render_cancelled_page(page: CancelledPage, locale: str = "en", root: str = "") -> str:
    """That a subscription has ended, or when it will."""
    return rendered("cancelled.html", page, page.merchant, locale, root)


def render_sign_in_page(page: SignInPage | LinkSentPage | OpenPage, locale: str = "en", root: str = "") -> str:
    """The portal's door: the e-mail field, the answer that everybody gets, or what a mailed link leads to."""
    from chalicelib.web.views.portal import OpenPage, SignInPage

    kind = "ask" if isinstance(page, SignInPage) else "open" if isinstance(page, OpenPage) else "sent"
    return rendered("portal_sign_in.html", page, page.merchant, locale, root, kind=kind)


def render_home_page(page: HomePage, locale: str = "en", root: str = "") -> str:
    """The portal's first page."""
    return rendered("portal_home.html", page, page.merchant, locale, root)


def render_subscription_page(page: SubscriptionPage, locale: str = "en", root: str = "") -> str:
    """One subscription in the portal."""
    return rendered("portal_subscription.html", page, page.merchant, locale, root)


def render_state_page(page: StatePage, locale: str = "en", root: str = "") -> str:
    """One of the states; `words.state_status` has the status to send it with."""
    from chalicelib.web.words.states import state_words

    return rendered("state.html", page, page.merchant, locale, root, words=state_words(page, locale))


def render_reference_page(page: ReferencePage, root: str = "") -> str:
    """The API's document, to read. It has no merchant, and is in English like the document itself."""
    return rendered("reference.html", page, None, "en", root)
