"""What the mailer promises, the fake and SES (on moto) alike; and what SES's refusals mean."""

from __future__ import annotations

import email
from collections.abc import Iterator
from dataclasses import dataclass, replace
from email.message import EmailMessage
from email.policy import default
from typing import Any, Protocol

import boto3
import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from moto import mock_aws
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.ses.models import ses_backends

from chalicelib.gateways.mail import SesMailer
from chalicelib.services.ports import Mailer, MailRefused, MailUnavailable, OutgoingMail
from tests.fakes.world import FakeMailer

REGION = "us-east-1"
SENDER = "till@shop.example"
MAIL = OutgoingMail(
    key="mai_1",
    from_name="Ada & Söhne, Ltd",
    to="buyer@example.com",
    subject="Your receipt — 50,00 €",
    text="Thank you.\nZoë",
    html="<p>Thank you.<br>Zoë</p>",
    reply_to="help@shop.example",
)


@dataclass(frozen=True)
class MailSettings:
    region: str = REGION
    aws_endpoint: str | None = None
    mail_from: str = SENDER


class MailWorld(Protocol):
    mailer: Mailer

    def count(self) -> int: ...


class FakeMailWorld:
    def __init__(self) -> None:
        self.fake = FakeMailer()
        self.mailer: Mailer = self.fake

    def count(self) -> int:
        return len(self.fake.sent)


class MotoMailWorld:
    """One for the module, since making clients of AWS is slow; `forget` makes it as new."""

    def __init__(self) -> None:
        boto3.client("sesv2", region_name=REGION).create_email_identity(EmailIdentity=SENDER)
        self.mailer: Mailer = SesMailer(MailSettings())

    def messages(self) -> list[Any]:
        return list(ses_backends[DEFAULT_ACCOUNT_ID][REGION].sent_messages)

    def count(self) -> int:
        return len(self.messages())

    def forget(self) -> None:
        ses_backends[DEFAULT_ACCOUNT_ID][REGION].sent_messages.clear()


@pytest.fixture(scope="module")
def moto_ses() -> Iterator[MotoMailWorld]:
    with mock_aws():
        yield MotoMailWorld()


@pytest.fixture
def ses(moto_ses: MotoMailWorld) -> MotoMailWorld:
    moto_ses.forget()
    return moto_ses


@pytest.fixture(params=["fake", "moto"])
def mail_world(request: pytest.FixtureRequest) -> MailWorld:
    if request.param == "fake":
        return FakeMailWorld()
    world: MailWorld = request.getfixturevalue("ses")
    return world


def test_a_mail_is_sent_and_has_an_id(mail_world: MailWorld) -> None:
    first, second = mail_world.mailer.send(MAIL), mail_world.mailer.send(MAIL)
    assert first
    assert second
    assert first != second
    assert mail_world.count() == 2


@pytest.mark.parametrize("field", ["from_name", "to", "subject", "reply_to", "key"])
@pytest.mark.parametrize("bad", ["\r\nBcc: thief@example.com", "\nX-Evil: 1", "\r", "\0"])
def test_a_header_that_would_break_out_is_refused_and_nothing_is_sent(
    mail_world: MailWorld, field: str, bad: str
) -> None:
    with pytest.raises(MailRefused):
        mail_world.mailer.send(replace(MAIL, **{field: f"{getattr(MAIL, field)}{bad}"}))
    assert mail_world.count() == 0


@pytest.mark.parametrize("field", ["to", "reply_to"])
@pytest.mark.parametrize(
    "address",
    [
        "",
        "buyer",
        "@example.com",
        "buyer@",
        "a@example.com, b@example.com",
        "a@example.com;b@example.com",
        "a@example.com b@example.com",
        "a@b@example.com",
        "Buyer <buyer@example.com>",
        '"a b"@example.com',
    ],
)
def test_what_is_not_one_plain_address_is_refused_and_nothing_is_sent(
    mail_world: MailWorld, field: str, address: str
) -> None:
    with pytest.raises(MailRefused):
        mail_world.mailer.send(replace(MAIL, **{field: address}))
    assert mail_world.count() == 0


def test_the_fake_refuses_an_address_and_fails_when_told_to() -> None:
    mailer = FakeMailer()
    mailer.refuse("buyer@example.com")
    with pytest.raises(MailRefused):
        mailer.send(MAIL)
    other = replace(MAIL, to="other@example.com")
    mailer.fail_next()
    with pytest.raises(MailUnavailable):
        mailer.send(other)
    assert mailer.sent == []
    mailer.fail_next(sent=True)
    with pytest.raises(MailUnavailable):
        mailer.send(other)
    assert mailer.sent == [other]
    mailer.send(other)
    assert mailer.sent == [other, other]


# --- what SES gets ----------------------------------------------------------------------------------------------------


def raw(world: MotoMailWorld) -> str:
    (message,) = world.messages()
    text: str = message.raw_data
    return text


def parsed(world: MotoMailWorld) -> EmailMessage:
    message = email.message_from_string(raw(world), policy=default)
    assert isinstance(message, EmailMessage)
    return message


def test_a_mail_comes_from_the_merchants_name_at_the_deployments_address(ses: MotoMailWorld) -> None:
    ses.mailer.send(MAIL)
    message = parsed(ses)
    (sender,) = message["From"].addresses
    assert (sender.display_name, sender.addr_spec) == ("Ada & Söhne, Ltd", SENDER)
    assert message["To"] == "buyer@example.com"
    assert message["Reply-To"] == "help@shop.example"
    assert message["Subject"] == "Your receipt — 50,00 €"
    assert message["X-Till-Mail"] == "mai_1"


def test_a_mail_has_a_text_and_an_html_body_and_is_ascii_on_the_wire(ses: MotoMailWorld) -> None:
    ses.mailer.send(MAIL)
    plain, rich = parsed(ses).get_body(("plain",)), parsed(ses).get_body(("html",))
    assert plain is not None
    assert rich is not None
    assert plain.get_content().splitlines() == ["Thank you.", "Zoë"]
    assert rich.get_content().splitlines() == ["<p>Thank you.<br>Zoë</p>"]
    assert raw(ses).isascii()


def test_a_mail_without_a_reply_address_has_no_such_header(ses: MotoMailWorld) -> None:
    ses.mailer.send(replace(MAIL, reply_to=None))
    assert parsed(ses)["Reply-To"] is None


def test_a_name_cannot_become_a_second_sender(ses: MotoMailWorld) -> None:
    ses.mailer.send(replace(MAIL, from_name='Bank" <bank@bank.example>, "x'))
    (sender,) = parsed(ses)["From"].addresses
    assert sender.addr_spec == SENDER


def test_a_domain_with_letters_beyond_ascii_is_written_in_ascii(ses: MotoMailWorld) -> None:
    ses.mailer.send(replace(MAIL, to="buyer@bücher.example"))
    assert parsed(ses)["To"] == "buyer@xn--bcher-kva.example"


def test_a_body_that_cannot_be_encoded_is_refused(ses: MotoMailWorld) -> None:
    with pytest.raises(MailRefused):
        ses.mailer.send(replace(MAIL, text="broken \ud800"))
    assert ses.messages() == []


class FailingSes:
    """A client of SES that always fails."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.calls = 0

    def send_email(self, **_: Any) -> None:
        self.calls += 1
        raise self.error


def failing(error: Exception) -> tuple[SesMailer, FailingSes]:
    mailer, client = SesMailer(MailSettings()), FailingSes(error)
    vars(mailer)["_ses"] = client
    return mailer, client


def ses_error(code: str, message: str = "") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "SendEmail")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ses_error("MessageRejected", "Address blacklisted."), MailRefused),
        (ses_error("BadRequestException", "Local address contains control or whitespace"), MailRefused),
        (ses_error("MessageRejected", "Email address is not verified."), MailUnavailable),
        (ses_error("TooManyRequestsException"), MailUnavailable),
        (ses_error("LimitExceededException"), MailUnavailable),
        (ses_error("AccountSuspendedException"), MailUnavailable),
        (ses_error("SendingPausedException"), MailUnavailable),
        (ses_error("MailFromDomainNotVerifiedException"), MailUnavailable),
        (ses_error("InternalFailure"), MailUnavailable),
        (ReadTimeoutError(endpoint_url="https://email.example"), MailUnavailable),
    ],
)
def test_ses_says_never_only_of_the_mail_itself(error: Exception, expected: type[Exception]) -> None:
    mailer, client = failing(error)
    with pytest.raises(expected):
        mailer.send(MAIL)
    assert client.calls == 1


def test_the_reason_of_a_refusal_names_the_row_and_no_address(caplog: pytest.LogCaptureFixture) -> None:
    mailer, _ = failing(ses_error("MessageRejected", "buyer@example.com is blacklisted"))
    with pytest.raises(MailRefused, match=r"^mai_1: MessageRejected$"):
        mailer.send(MAIL)
    assert [vars(record)["row"] for record in caplog.records] == ["mai_1"]
    assert "buyer@example.com" not in caplog.text


def test_a_lost_answer_is_not_sent_again_by_the_client_itself(ses: MotoMailWorld) -> None:
    mailer = ses.mailer
    assert isinstance(mailer, SesMailer)
    mailer.send(MAIL)
    assert vars(mailer)["_ses"].meta.config.retries["total_max_attempts"] == 1
