"""Our check of a webhook's signature, with the stripe package's own as the oracle."""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stripe import SignatureVerificationError, WebhookSignature

from chalicelib.gateways.stripe.signatures import SignatureInvalid, verify

NOW = datetime(2027, 1, 15, 12, tzinfo=UTC)
SECONDS = int(NOW.timestamp())
SECRET = "whsec_one_of_the_endpoint"
OTHER = "whsec_after_the_rotation"
PAYLOAD = b'{"id": "evt_1", "object": "event", "type": "payment_intent.succeeded"}'


def signature(payload: bytes = PAYLOAD, secret: str = SECRET, seconds: int = SECONDS) -> str:
    return hmac.new(secret.encode(), f"{seconds}.".encode() + payload, hashlib.sha256).hexdigest()


# What a header is made of, right and wrong.
PIECES = [
    *("t=", "t=x", "v1=", "v1", "=", " ", f"t={SECONDS}"),
    *(f"v1={signature()}", f" v1={signature()}", f"v1={signature()}==", f"v0={signature()}"),
]


def header(payload: bytes = PAYLOAD, secret: str = SECRET, seconds: int = SECONDS) -> str:
    return f"t={seconds},v1={signature(payload, secret, seconds)}"


def accepts(payload: bytes, text: str, secrets: tuple[str, ...] = (SECRET,), now: datetime = NOW) -> bool:
    try:
        verify(payload, text, secrets, now)
    except SignatureInvalid:
        return False
    return True


def test_what_stripes_package_signs_is_accepted() -> None:
    signed = WebhookSignature.generate_signature_header(PAYLOAD.decode(), SECRET, SECONDS)
    assert accepts(PAYLOAD, signed)


@given(payload=st.text(max_size=200), secret=st.text("abcXYZ019", min_size=1, max_size=20))
def test_each_payload_and_secret_is_signed_as_stripes_package_does(payload: str, secret: str) -> None:
    signed = WebhookSignature.generate_signature_header(payload, f"whsec_{secret}", SECONDS)
    assert accepts(payload.encode(), signed, (f"whsec_{secret}",))
    assert not accepts(payload.encode() + b" ", signed, (f"whsec_{secret}",))


@given(
    st.lists(
        st.sampled_from(
            [
                "t=",
                f"t={SECONDS}",
                "t=x",
                f"v1={signature()}",
                "v1=",
                f"v0={signature()}",
                "v1",
                "=",
                " ",
                f" v1={signature()}",
                f"v1={signature()}==",
            ]
        ),
        max_size=5,
    ).map(",".join)
)
def test_nothing_is_accepted_that_stripes_package_refuses(text: str) -> None:
    try:
        WebhookSignature.verify_header(PAYLOAD, text, SECRET)
        genuine = True
    except SignatureVerificationError:
        genuine = False
    assert genuine or not accepts(PAYLOAD, text)


def test_any_of_several_values_and_secrets_may_fit() -> None:
    many = f"t={SECONDS},v1={'0' * 64},v0={'1' * 64},v1={signature(secret=OTHER)}"
    assert accepts(PAYLOAD, many, (SECRET, OTHER))
    assert accepts(PAYLOAD, many, (OTHER, SECRET))
    assert accepts(PAYLOAD, f"t={SECONDS},v1={signature()},v1={'0' * 64}")
    assert not accepts(PAYLOAD, many, (SECRET,))


def test_the_raw_bytes_are_signed_not_their_meaning() -> None:
    assert accepts(b"\xff\xfe\x00", header(b"\xff\xfe\x00"))
    assert not accepts(PAYLOAD.replace(b" ", b""), header())


@pytest.mark.parametrize(
    ("seconds", "fits"), [(0, True), (300, True), (-300, True), (301, False), (-301, False), (86_400, False)]
)
def test_a_signature_holds_five_minutes_both_ways(seconds: int, fits: bool) -> None:
    assert accepts(PAYLOAD, header(seconds=SECONDS + seconds)) is fits


def test_the_tolerance_is_counted_from_the_given_time_not_the_machines() -> None:
    later = NOW + timedelta(days=3_650)
    assert not accepts(PAYLOAD, header(), now=later)
    assert accepts(PAYLOAD, header(seconds=int(later.timestamp())), now=later)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        ",,,",
        "=",
        f"t={SECONDS}, v1={signature()}",
        f"t={SECONDS},v1={signature()},",
        f"t={SECONDS},v1={signature()},v1",
        f"t={SECONDS}",
        f"v1={signature()}",
        f"t={SECONDS},v1=",
        f"t={SECONDS},v0={signature()}",
        f"t={SECONDS},t={SECONDS},v1={signature()}",
        f"t=,v1={signature()}",
        f"t=-{SECONDS},v1={signature()}",
        f"t= {SECONDS},v1={signature()}",
        f"t=+{SECONDS},v1={signature()}",
        f"t=1_799,v1={signature()}",
        f"t={'9' * 40},v1={signature()}",
        f"t=99999999999,v1={signature(seconds=99_999_999_999)}",
        f"t=١٢٣,v1={signature()}",
        f"t={SECONDS},v1={signature().upper()}",
        f"t={SECONDS},v1=é{signature()[1:]}",
        f"t={SECONDS},v1=\ud800",
        "t=1," + "v1=0," * 2_000,
    ],
)
def test_a_malformed_header_is_invalid_and_nothing_else(text: str) -> None:
    with pytest.raises(SignatureInvalid):
        verify(PAYLOAD, text, (SECRET,), NOW)


def test_without_a_secret_nothing_is_believed() -> None:
    assert not accepts(PAYLOAD, header(), ())
