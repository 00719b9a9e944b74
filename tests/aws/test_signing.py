"""Our signatures are botocore's, header by header."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials

from chalicelib.aws.signing import Credentials, Signer

NOW = datetime(2027, 1, 31, 23, 59, 58, tzinfo=UTC)


KEYS = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")


def by_botocore(
    monkeypatch: pytest.MonkeyPatch, keys: Credentials, url: str, service: str, headers: dict[str, str], body: bytes
) -> dict[str, str]:
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: NOW.replace(tzinfo=None))
    request = AWSRequest("POST", url, headers, body)
    given = BotocoreCredentials(keys.access_key, keys.secret_key, keys.session_token)
    botocore.auth.SigV4Auth(given, service, "eu-central-1").add_auth(request)
    return {name.lower(): value for name, value in request.headers.items()}


HOSTS = ("dynamodb.eu-central-1.amazonaws.com", "127.0.0.1:8123")


@pytest.mark.parametrize("token", [None, "IQoJb3JpZ2luX2VjEXAMPLE/+=="], ids=["lasting", "passing"])
@pytest.mark.parametrize("host", HOSTS)
def test_a_signature_is_the_one_that_botocore_makes(
    monkeypatch: pytest.MonkeyPatch, host: str, token: str | None
) -> None:
    headers = {"content-type": "application/x-amz-json-1.0", "x-amz-target": "DynamoDB_20120810.GetItem"}
    keys = KEYS._replace(session_token=token)
    signer = Signer(keys, service="dynamodb", region="eu-central-1", host=host, now=lambda: NOW)
    for body in (b"{}", '{"name":"Zoë, “quoted”","line":"a\\nb"}'.encode(), b"x" * 100_000):
        theirs = by_botocore(monkeypatch, keys, f"http://{host}/", "dynamodb", headers, body)
        assert signer.signed(headers, body) == theirs


def test_the_key_of_a_day_is_made_anew_the_day_after() -> None:
    moments = [NOW, NOW + timedelta(seconds=1), NOW + timedelta(seconds=2), NOW]
    fresh = [
        Signer(KEYS, service="sqs", region="us-east-1", host="h", now=lambda at=at: at).signed({}, b"{}")
        for at in moments
    ]
    coming = iter(moments)
    one = Signer(KEYS, service="sqs", region="us-east-1", host="h", now=lambda: next(coming))
    assert [one.signed({}, b"{}") for _ in moments] == fresh
    assert len({signed["authorization"] for signed in fresh}) == 3


def test_the_time_is_told_in_utc_wherever_the_clock_stands() -> None:
    local = NOW.astimezone(ZoneInfo("Asia/Tokyo"))
    signer = Signer(KEYS, service="sqs", region="us-east-1", host="h", now=lambda: local)
    assert signer.signed({}, b"{}")["x-amz-date"] == "20270131T235958Z"


def test_credentials_never_show_their_secrets() -> None:
    keys = KEYS._replace(session_token="IQoJb3JpZ2lu")
    assert repr(keys) == "Credentials('AKIDEXAMPLE', …)"
    assert f"{keys}" == "Credentials('AKIDEXAMPLE', …)"
