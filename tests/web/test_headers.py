"""Each page's headers, word by word."""

from __future__ import annotations

import pytest

from chalicelib.web.headers import PageKind, StripeOrigins, page_headers

REST = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Strict-Transport-Security": "max-age=31536000",
    "X-Content-Type-Options": "nosniff",
}


def test_a_pay_page_runs_stripes_script_and_ours_and_nothing_else() -> None:
    assert page_headers(PageKind.PAY, "abc") == REST | {
        "Content-Security-Policy": (
            "default-src 'none'; style-src 'self'; img-src 'self'; "
            "script-src 'nonce-abc' https://js.stripe.com https://*.js.stripe.com; "
            "connect-src 'self' https://api.stripe.com; "
            "frame-src https://js.stripe.com https://*.js.stripe.com https://hooks.stripe.com; "
            "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        ),
        "Referrer-Policy": "same-origin",
    }


def test_stripes_origins_are_a_setting() -> None:
    here = ("http://127.0.0.1:8002",)
    policy = page_headers(PageKind.PAY, "abc", StripeOrigins(here, here, here))["Content-Security-Policy"]
    assert "script-src 'nonce-abc' http://127.0.0.1:8002;" in policy
    assert "connect-src 'self' http://127.0.0.1:8002;" in policy
    assert "frame-src http://127.0.0.1:8002;" in policy
    assert "stripe.com" not in policy


@pytest.mark.parametrize("nonce", [None, ""])
def test_a_pay_page_without_a_nonce_is_a_mistake(nonce: str | None) -> None:
    with pytest.raises(ValueError, match="nonce"):
        page_headers(PageKind.PAY, nonce)


@pytest.mark.parametrize(
    ("kind", "policy", "referrer"),
    [
        (
            PageKind.FORM,
            "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; "
            "frame-ancestors 'none'",
            "same-origin",
        ),
        (
            PageKind.CHECKING,
            "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; connect-src 'self'; "
            "form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
            "no-referrer",
        ),
        (
            PageKind.PLAIN,
            "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'none'; base-uri 'none'; "
            "frame-ancestors 'none'",
            "no-referrer",
        ),
    ],
)
def test_every_other_page_may_do_less(kind: PageKind, policy: str, referrer: str) -> None:
    assert page_headers(kind) == REST | {"Content-Security-Policy": policy, "Referrer-Policy": referrer}
