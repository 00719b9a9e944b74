"""Which headers each kind of page is sent with: what a browser may load, send and tell others.

One list for all pages, so that a page with more rights than it needs is a visible line here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class PageKind(StrEnum):
    """By what the page has to do."""

    PAY = "pay"
    """Stripe's script and ours, a form, Stripe's frames."""
    FORM = "form"
    """A form without script."""
    CHECKING = "checking"
    """Our own polling script, nothing else."""
    PLAIN = "plain"
    """Text to read."""


@dataclass(frozen=True, slots=True)
class StripeOrigins:
    """Where Stripe.js comes from, what it calls and which frames it opens; a setting, so that another host can serve.

    The defaults are what Stripe's security guide lists for Stripe.js
    (https://docs.stripe.com/security/guide#content-security-policy).
    """

    script: tuple[str, ...] = ("https://js.stripe.com", "https://*.js.stripe.com")
    connect: tuple[str, ...] = ("https://api.stripe.com",)
    frame: tuple[str, ...] = ("https://js.stripe.com", "https://*.js.stripe.com", "https://hooks.stripe.com")


STRIPE: Final = StripeOrigins()

_EVERYWHERE: Final = {
    "Strict-Transport-Security": "max-age=31536000",
    "X-Content-Type-Options": "nosniff",
}
_ALWAYS: Final = _EVERYWHERE | {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
}
_NOTHING: Final = "default-src 'none'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
"""What an answer may do that is no page: nothing, should a browser be made to show it as one."""


def bare_headers(content_type: str | None = None, cache: str = "no-store") -> dict[str, str]:
    """All headers of an answer that is no page: JSON for our scripts, a redirect, a file. A redirect has no type."""
    headers = _EVERYWHERE | {
        "Cache-Control": cache,
        "Content-Security-Policy": _NOTHING,
        "Referrer-Policy": "no-referrer",
    }
    return headers if content_type is None else headers | {"Content-Type": content_type}


def page_headers(kind: PageKind, nonce: str | None = None, stripe: StripeOrigins = STRIPE) -> dict[str, str]:
    """All headers of a page. A pay page needs the `nonce` that stands on its scripts; ValueError without one."""
    policy = {"default-src": "'none'", "style-src": "'self'", "img-src": "'self'"}
    if kind is PageKind.PAY:
        if not nonce:
            raise ValueError("a pay page without a nonce would run no script")
        policy["script-src"] = " ".join((f"'nonce-{nonce}'", *stripe.script))
        policy["connect-src"] = " ".join(("'self'", *stripe.connect))
        policy["frame-src"] = " ".join(stripe.frame)
    elif kind is PageKind.CHECKING:
        policy |= {"script-src": "'self'", "connect-src": "'self'"}
    posts = kind in {PageKind.PAY, PageKind.FORM}
    policy |= {"form-action": "'self'" if posts else "'none'", "base-uri": "'none'", "frame-ancestors": "'none'"}
    return _ALWAYS | {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        # A form posted under no-referrer says `Origin: null`, and the origin is what the server checks.
        "Referrer-Policy": "same-origin" if posts else "no-referrer",
    }
