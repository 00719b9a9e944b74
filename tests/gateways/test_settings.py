"""The settings: read once, checked all at once, and never shown."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys

import pytest

from chalicelib.settings import (
    SECRETS,
    STRIPE_FRAME_ORIGINS,
    SettingsError,
    aws_keys,
    facts_from_environment,
    from_environment,
)

COMPLETE = {
    "TILL_STAGE": "prod",
    "TILL_PUBLIC_BASE_URL": "https://pay.shop.example/",
    "TILL_REGION": "us-east-1",
    "TILL_RECORDS_TABLE": "till-records",
    "TILL_EVENTS_TABLE": "till-events",
    "TILL_TIMERS_TABLE": "till-timers",
    "TILL_BILLING_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/123456789012/till-billing.fifo",
    "TILL_CHARGES_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/123456789012/till-charges",
    "TILL_WORK_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/123456789012/till-work",
    "TILL_MAIL_FROM": "receipts@shop.example",
    "TILL_STRIPE_SECRET_KEY": "sk_live_abcdefghijkl",
    "TILL_STRIPE_PUBLISHABLE_KEY": "pk_live_abcdefghijkl",
    "TILL_STRIPE_WEBHOOK_SECRETS": "whsec_account00, whsec_connect00",
    "TILL_FORM_SECRET": "f" * 32,
}


def problems(**changes: str) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as refused:
        from_environment(COMPLETE | changes)
    return refused.value.problems


def test_a_complete_environment_becomes_frozen_settings() -> None:
    settings = from_environment(COMPLETE)
    assert settings.public_base_url == "https://pay.shop.example"
    assert settings.stripe_webhook_secrets == ("whsec_account00", "whsec_connect00")
    assert settings.stripe_livemode is True
    assert settings.stripe_js_url == "https://js.stripe.com/endive/stripe.js"
    assert settings.stripe_frame_origins == STRIPE_FRAME_ORIGINS
    assert (settings.dynamodb_endpoint, settings.aws_endpoint, settings.stripe_api_base) == (None, None, None)
    assert settings.direct_merchant is None
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.stage = "dev"  # type: ignore[misc]


def test_endpoints_and_origins_can_be_set_and_loopback_may_be_plain_http() -> None:
    settings = from_environment(
        COMPLETE
        | {
            "TILL_PUBLIC_BASE_URL": "http://127.0.0.1:8000",
            "TILL_DYNAMODB_ENDPOINT": "http://localhost:9001",
            "TILL_AWS_ENDPOINT": "http://127.0.0.1:9002",
            "TILL_STRIPE_API_BASE": "http://127.0.0.1:9003",
            "TILL_STRIPE_JS_URL": "http://127.0.0.1:9003/stripe.js",
            "TILL_STRIPE_SCRIPT_ORIGINS": "http://127.0.0.1:9003",
            "TILL_STRIPE_FRAME_ORIGINS": "http://127.0.0.1:9003, https://hooks.stripe.com",
            "TILL_STRIPE_CONNECT_ORIGINS": "http://127.0.0.1:9003",
            "TILL_DIRECT_MERCHANT": "mer_demo",
            "TILL_STRIPE_PACE": "100/400",
        }
    )
    assert settings.dynamodb_endpoint == "http://localhost:9001"
    assert settings.stripe_api_base == "http://127.0.0.1:9003"
    assert settings.stripe_frame_origins == ("http://127.0.0.1:9003", "https://hooks.stripe.com")
    assert settings.stripe_connect_origins == ("http://127.0.0.1:9003",)
    assert settings.direct_merchant == "mer_demo"
    assert settings.stripe_pace == (100, 400)


def test_every_missing_variable_is_named_at_once() -> None:
    with pytest.raises(SettingsError) as refused:
        from_environment({})
    assert [problem.split()[0] for problem in refused.value.problems] == [
        "TILL_STRIPE_SECRET_KEY",
        "TILL_STRIPE_PUBLISHABLE_KEY",
        "TILL_STAGE",
        "TILL_PUBLIC_BASE_URL",
        "TILL_REGION",
        "TILL_RECORDS_TABLE",
        "TILL_EVENTS_TABLE",
        "TILL_TIMERS_TABLE",
        "TILL_BILLING_QUEUE_URL",
        "TILL_CHARGES_QUEUE_URL",
        "TILL_WORK_QUEUE_URL",
        "TILL_MAIL_FROM",
        "TILL_STRIPE_WEBHOOK_SECRETS",
        "TILL_FORM_SECRET",
    ]
    assert all(problem in str(refused.value) for problem in refused.value.problems)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TILL_STAGE", "Prod 1"),
        ("TILL_PUBLIC_BASE_URL", "http://pay.shop.example"),
        ("TILL_PUBLIC_BASE_URL", "https://user@pay.shop.example"),
        ("TILL_PUBLIC_BASE_URL", "https://pay.shop.example/?a=b"),
        ("TILL_PUBLIC_BASE_URL", "https://"),
        ("TILL_PUBLIC_BASE_URL", "https://pay.shop.example:x"),
        ("TILL_REGION", "virginia"),
        ("TILL_RECORDS_TABLE", "a b"),
        ("TILL_MAIL_FROM", "Shop <receipts@shop.example>"),
        ("TILL_MAIL_FROM", "a@shop.example,b@shop.example"),
        ("TILL_STRIPE_SECRET_KEY", "pk_live_abcdefghijkl"),
        ("TILL_STRIPE_PUBLISHABLE_KEY", "sk_live_abcdefghijkl"),
        ("TILL_STRIPE_WEBHOOK_SECRETS", "whsec_account00,nonsense"),
        ("TILL_STRIPE_WEBHOOK_SECRETS", ", ,"),
        ("TILL_FORM_SECRET", "short"),
        ("TILL_STRIPE_FRAME_ORIGINS", "frames.example"),
        ("TILL_STRIPE_FRAME_ORIGINS", "https://js.stripe.com; script-src *"),
        ("TILL_DIRECT_MERCHANT", "demo"),
        ("TILL_STRIPE_PACE", "0/80"),
        ("TILL_STRIPE_PACE", "20"),
        ("TILL_STRIPE_API_BASE", "http://api.stripe.com"),
    ],
)
def test_an_invalid_value_is_named_and_not_repeated(name: str, value: str) -> None:
    (problem,) = problems(**{name: value})
    assert problem.startswith(f"{name} is not ")
    assert value not in problem


def test_keys_of_two_modes_do_not_go_together() -> None:
    (problem,) = problems(TILL_STRIPE_SECRET_KEY="sk_test_abcdefghijkl")
    assert "different modes" in problem


@pytest.mark.parametrize(
    ("key", "publishable", "live"),
    [
        ("sk_live_abcdefghijkl", "pk_live_abcdefghijkl", True),
        ("rk_live_abcdefghijkl", "pk_live_abcdefghijkl", True),
        ("sk_test_abcdefghijkl", "pk_test_abcdefghijkl", False),
        ("rk_test_abcdefghijkl", "pk_test_abcdefghijkl", False),
    ],
)
def test_the_mode_is_the_keys(key: str, publishable: str, live: bool) -> None:
    changes = {"TILL_STRIPE_SECRET_KEY": key, "TILL_STRIPE_PUBLISHABLE_KEY": publishable}
    assert from_environment(COMPLETE | changes).stripe_livemode is live


def test_lambdas_own_region_is_taken_where_none_is_set() -> None:
    env = {name: value for name, value in COMPLETE.items() if name != "TILL_REGION"}
    assert from_environment(env | {"AWS_REGION": "eu-west-1"}).region == "eu-west-1"
    assert from_environment(COMPLETE | {"AWS_REGION": "eu-west-1"}).region == "us-east-1"


def test_secrets_do_not_show_in_a_repr() -> None:
    shown = repr(from_environment(COMPLETE))
    for name in ("TILL_STRIPE_SECRET_KEY", "TILL_FORM_SECRET"):
        assert COMPLETE[name] not in shown
    assert "whsec_" not in shown


def test_the_process_reads_its_environment_once() -> None:
    program = (
        "import os\nfrom chalicelib.settings import load\n"
        "first = load()\nos.environ['TILL_STAGE'] = 'other'\nassert load() is first\nprint(first.stage)"
    )
    env = {**COMPLETE, "PATH": os.environ["PATH"]}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=env)
    assert done.stdout.strip() == "prod"


SECRET_VARIABLES = {"TILL_STRIPE_SECRET_KEY", "TILL_STRIPE_WEBHOOK_SECRETS", "TILL_FORM_SECRET"}


def test_the_facts_of_a_deployment_need_no_secret() -> None:
    plain = {name: value for name, value in COMPLETE.items() if name not in SECRET_VARIABLES}
    facts = facts_from_environment(plain | {"TILL_SECRETS_PATH": "/till/prod"})
    assert (facts.secrets_path, facts.stripe_livemode) == ("/till/prod", True)
    assert not hasattr(facts, "form_secret")
    with pytest.raises(SettingsError) as refused:
        facts_from_environment(plain | {"TILL_SECRETS_PATH": "till/prod/"})
    assert refused.value.problems == ("TILL_SECRETS_PATH is not a path of parameters such as /till/prod",)
    assert {
        problem.partition(" ")[0] for problem in problems(**dict.fromkeys(SECRET_VARIABLES, ""))
    } == SECRET_VARIABLES


def test_every_secret_has_a_place_in_parameter_store() -> None:
    assert set(SECRETS) == SECRET_VARIABLES
    assert sorted(SECRETS.values()) == ["form-secret", "stripe-secret-key", "stripe-webhook-secrets"]


LAMBDA = {
    "AWS_LAMBDA_FUNCTION_NAME": "till-prod",
    "AWS_ACCESS_KEY_ID": "ASIAEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_SESSION_TOKEN": "token",
}


HERE = "http://127.0.0.1:8123"


def keys_in(monkeypatch: pytest.MonkeyPatch, env: dict[str, str], endpoint: str | None = None) -> object:
    for name in [
        name for name in os.environ if name.startswith(("AWS_", "REQUESTS_")) or name.lower() == "https_proxy"
    ]:
        monkeypatch.delenv(name)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    return aws_keys(endpoint)


def test_a_lambda_is_who_its_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    assert keys_in(monkeypatch, LAMBDA) == ("ASIAEXAMPLE", "secret", "token")
    assert keys_in(monkeypatch, LAMBDA | {"AWS_SESSION_TOKEN": ""}) == ("ASIAEXAMPLE", "secret", None)


def test_elsewhere_the_environment_is_believed_for_a_database_on_this_machine_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mine = {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret"}
    assert keys_in(monkeypatch, mine) is None
    assert keys_in(monkeypatch, mine, "https://vpce-1.dynamodb.us-east-1.vpce.amazonaws.com") is None
    assert keys_in(monkeypatch, mine, HERE) == ("AKIAEXAMPLE", "secret", None)


@pytest.mark.parametrize(
    "other",
    [
        {"AWS_ACCESS_KEY_ID": ""},
        {"AWS_SECRET_ACCESS_KEY": ""},
        {"AWS_PROFILE": "work"},
        {"AWS_DEFAULT_PROFILE": "work"},
        {"AWS_CREDENTIAL_EXPIRATION": "2027-01-01T00:00:00Z"},
    ],
    ids=lambda other: next(iter(other)),
)
def test_credentials_that_botocore_alone_finds_or_renews_are_left_to_it(
    monkeypatch: pytest.MonkeyPatch, other: dict[str, str]
) -> None:
    assert keys_in(monkeypatch, LAMBDA | other) is None
    assert keys_in(monkeypatch, LAMBDA | other, HERE) is None


@pytest.mark.parametrize(
    "name",
    [
        "AWS_ENDPOINT_URL",
        "AWS_ENDPOINT_URL_DYNAMODB",
        "AWS_ENDPOINT_URL_SQS",
        "AWS_USE_FIPS_ENDPOINT",
        "AWS_CA_BUNDLE",
        "https_proxy",
    ],
)
def test_another_way_to_aws_is_left_to_botocore_and_means_nothing_on_this_machine(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    assert keys_in(monkeypatch, LAMBDA | {name: "x"}) is None
    assert keys_in(monkeypatch, LAMBDA | {name: "x"}, HERE) == ("ASIAEXAMPLE", "secret", "token")
