"""Mail as it left the app, read from the calls to SES themselves, since moto keeps only one body of each mail."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, Final
from urllib.parse import parse_qs

OUTBOUND_PATH: Final = "/v2/email/outbound-emails"
"""Where SES v2's SendEmail goes (https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html)."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file in a mail; `size` in bytes."""

    filename: str
    content_type: str
    size: int


@dataclass(frozen=True, slots=True)
class SentMail:
    """One accepted mail. `text` and `html` are None where the mail has no such body."""

    to: tuple[str, ...]
    sender: str
    reply_to: tuple[str, ...]
    subject: str
    text: str | None
    html: str | None
    attachments: tuple[Attachment, ...]
    at: datetime

    def as_json(self) -> dict[str, Any]:
        """The shape that GET /mail answers with."""
        return {
            "to": list(self.to),
            "from": self.sender,
            "reply_to": list(self.reply_to),
            "subject": self.subject,
            "text": self.text,
            "html": self.html,
            "attachments": [
                {"filename": a.filename, "content_type": a.content_type, "size": a.size} for a in self.attachments
            ],
            "at": self.at.isoformat().replace("+00:00", "Z"),
        }


def read_call(path: str, content_type: str, body: bytes, at: datetime) -> SentMail | None:
    """The mail that a call to SES sends (v2 SendEmail, v1 SendEmail and SendRawEmail), or None for other calls."""
    if path == OUTBOUND_PATH:
        return _from_v2(json.loads(body), at)
    if content_type.startswith("application/x-www-form-urlencoded"):
        fields = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        if fields.get("Action") == "SendRawEmail":
            raw = base64.b64decode(fields["RawMessage.Data"])
            return _from_raw(raw, _numbered(fields, "Destinations.member."), fields.get("Source"), at)
        if fields.get("Action") == "SendEmail":
            return _from_v1(fields, at)
    return None


def _from_v2(call: Mapping[str, Any], at: datetime) -> SentMail:
    destination = call.get("Destination", {})
    to = [address for kind in ("To", "Cc", "Bcc") for address in destination.get(f"{kind}Addresses", [])]
    content = call["Content"]
    if "Raw" in content:
        return _from_raw(base64.b64decode(content["Raw"]["Data"]), to, call.get("FromEmailAddress"), at)
    simple = content["Simple"]
    body = simple.get("Body", {})
    return SentMail(
        to=tuple(to),
        sender=call.get("FromEmailAddress", ""),
        reply_to=tuple(call.get("ReplyToAddresses", ())),
        subject=simple["Subject"]["Data"],
        text=body.get("Text", {}).get("Data"),
        html=body.get("Html", {}).get("Data"),
        attachments=tuple(
            Attachment(
                filename=file["FileName"],
                content_type=file.get("ContentType", "application/octet-stream"),
                size=len(base64.b64decode(file["RawContent"])),
            )
            for file in simple.get("Attachments", [])
        ),
        at=at,
    )


def _from_v1(fields: Mapping[str, str], at: datetime) -> SentMail:
    to = [a for kind in ("To", "Cc", "Bcc") for a in _numbered(fields, f"Destination.{kind}Addresses.member.")]
    return SentMail(
        to=tuple(to),
        sender=fields.get("Source", ""),
        reply_to=tuple(_numbered(fields, "ReplyToAddresses.member.")),
        subject=fields.get("Message.Subject.Data", ""),
        text=fields.get("Message.Body.Text.Data"),
        html=fields.get("Message.Body.Html.Data"),
        attachments=(),
        at=at,
    )


def _from_raw(raw: bytes, to: list[str], sender: str | None, at: datetime) -> SentMail:
    message = message_from_bytes(raw, _class=EmailMessage, policy=policy.default)
    plain, html = message.get_body(("plain",)), message.get_body(("html",))
    return SentMail(
        to=tuple(to) or tuple(str(header) for header in message.get_all("To", [])),
        sender=str(message["From"] or sender or ""),
        reply_to=tuple(str(header) for header in message.get_all("Reply-To", [])),
        subject=str(message["Subject"] or ""),
        text=plain.get_content() if plain is not None else None,
        html=html.get_content() if html is not None else None,
        attachments=tuple(
            Attachment(
                filename=part.get_filename() or "",
                content_type=part.get_content_type(),
                size=len(part.get_payload(decode=True) or b""),
            )
            for part in message.iter_attachments()
        ),
        at=at,
    )


def _numbered(fields: Mapping[str, str], prefix: str) -> list[str]:
    found: list[str] = []
    while (value := fields.get(f"{prefix}{len(found) + 1}")) is not None:
        found.append(value)
    return found
