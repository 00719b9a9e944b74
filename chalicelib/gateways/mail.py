"""SES: one mail, one recipient, and headers that nobody's text can add to."""

from __future__ import annotations

import logging
import re
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formataddr
from functools import cached_property
from typing import Any, Final, Protocol

from chalicelib.gateways.aws import aws_client
from chalicelib.services.ports import OPEN, MailRefused, MailUnavailable, OutgoingMail, Seam

_LOG: Final = logging.getLogger("till.mail")

READ_SECONDS: Final = 10.0

_LOCAL_PART: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.\-]{1,64}")
_DOMAIN: Final = re.compile(r"(?=.{3,253}\Z)([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z0-9-]{2,63}")
# SES knows no 8-bit mail on every path, so bodies are encoded down to ASCII.
_POLICY: Final = SMTP.clone(cte_type="7bit")

# The account or the sender is not in order, or there were too many: the mail itself may well be sent later.
# Source: AWS, Amazon SES API v2 Reference, SendEmail, Errors.
_LATER: Final = frozenset(
    {
        "AccountSuspendedException",
        "LimitExceededException",
        "MailFromDomainNotVerifiedException",
        "NotFoundException",
        "SendingPausedException",
        "TooManyRequestsException",
    }
)
_NEVER: Final = frozenset({"BadRequestException", "MessageRejected"})


class MailSettings(Protocol):
    """What SesMailer needs to know of a deployment."""

    @property
    def region(self) -> str: ...
    @property
    def aws_endpoint(self) -> str | None: ...
    @property
    def mail_from(self) -> str: ...


class SesMailer:
    """The Mailer port on SES. Every mail comes from the deployment's address under the merchant's name."""

    def __init__(self, settings: MailSettings, *, seam: Seam = OPEN) -> None:
        self._settings = settings
        self._seam = seam

    @cached_property
    def _ses(self) -> Any:
        # One try only: SES has no idempotency, so a lost answer that is sent again would be a second mail.
        return aws_client(
            "sesv2",
            region=self._settings.region,
            endpoint=self._settings.aws_endpoint,
            read_seconds=READ_SECONDS,
            tries=1,
            seam=self._seam,
        )

    def send(self, mail: OutgoingMail) -> str:
        """SES's message id. Raises MailRefused for what SES will never take, MailUnavailable for everything else."""
        from botocore.exceptions import BotoCoreError, ClientError

        to = _plain_address(mail.to)
        try:
            content = _compose(mail, self._settings.mail_from, to).as_bytes()
        except UnicodeError as error:
            raise MailRefused(f"{mail.key}: the text cannot be encoded") from error
        # The name once more, as an encoded word: here the API takes ASCII alone.
        sender = formataddr((mail.from_name, self._settings.mail_from))
        try:
            answer = self._ses.send_email(
                FromEmailAddress=sender, Destination={"ToAddresses": [to]}, Content={"Raw": {"Data": content}}
            )
        except ClientError as error:
            raise _translated(error.response.get("Error", {}), mail.key) from error
        except BotoCoreError as error:
            raise MailUnavailable(f"{mail.key}: {type(error).__name__}") from error
        return str(answer["MessageId"])


def _translated(error: Any, key: str) -> Exception:
    code = str(error.get("Code", "unknown"))
    # SES rejects in the same way what nobody will ever get and what an operator has not verified yet.
    unverified = "not verified" in str(error.get("Message", ""))
    if code in _NEVER and not unverified:
        _LOG.warning("mail_refused", extra={"row": key, "code": code})
        return MailRefused(f"{key}: {code}")
    if code in _LATER or unverified:
        _LOG.error("mail_needs_an_operator", extra={"row": key, "code": code})
    return MailUnavailable(f"{key}: {code}")


def _compose(mail: OutgoingMail, sender: str, to: str) -> EmailMessage:
    message = EmailMessage(policy=_POLICY)
    local, _, domain = sender.rpartition("@")
    message["From"] = Address(display_name=_header_text(mail.from_name), username=local, domain=domain)
    message["To"] = to
    if mail.reply_to is not None:
        message["Reply-To"] = _plain_address(mail.reply_to)
    message["Subject"] = _header_text(mail.subject)
    message["X-Till-Mail"] = _header_text(mail.key)
    # Keeps out-of-office answers away (RFC 3834, section 5).
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.text)
    message.add_alternative(mail.html, subtype="html")
    return message


def _header_text(text: str) -> str:
    if any(ord(character) < 32 or ord(character) == 127 for character in text):
        raise MailRefused("a header has a line break or another control character")
    return text


def _plain_address(address: str) -> str:
    """One address without a name, its domain in ASCII. Raises MailRefused."""
    local, _, domain = address.rpartition("@")
    try:
        ascii_domain = domain.encode("idna").decode()
    except UnicodeError as error:
        raise MailRefused("the domain of an address cannot be written in ASCII") from error
    if not _LOCAL_PART.fullmatch(local) or not _DOMAIN.fullmatch(ascii_domain):
        raise MailRefused("not one plain address")
    return f"{local}@{ascii_domain}"
