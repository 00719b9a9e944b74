import base64
import json
from datetime import UTC, datetime
from email.message import EmailMessage
from urllib.parse import urlencode

from infra.local.mailbox import OUTBOUND_PATH, Attachment, read_call

AT = datetime(2027, 1, 31, 20, 30, tzinfo=UTC)
FORM = "application/x-www-form-urlencoded; charset=utf-8"


def raw_mail() -> bytes:
    mail = EmailMessage()
    mail["From"] = "Pinewood Studio <mail@till.example>"
    mail["To"] = "anna@example.com"
    mail["Reply-To"] = "hello@pinewood.example"
    mail["Subject"] = "Receipt from Pinewood Studio: €148.00"
    mail.set_content("Thank you. You paid €148.00.\n")
    mail.add_alternative("<p>Thank you.</p>\n", subtype="html")
    mail.add_attachment(b"%PDF-1.7", maintype="application", subtype="pdf", filename="INV-0001.pdf")
    return mail.as_bytes()


def test_a_simple_mail_keeps_both_bodies() -> None:
    call = {
        "FromEmailAddress": "Pinewood Studio <mail@till.example>",
        "Destination": {"ToAddresses": ["anna@example.com"]},
        "ReplyToAddresses": ["hello@pinewood.example"],
        "Content": {
            "Simple": {
                "Subject": {"Data": "Receipt"},
                "Body": {"Text": {"Data": "plain"}, "Html": {"Data": "<p>rich</p>"}},
            }
        },
    }
    mail = read_call(OUTBOUND_PATH, "application/json", json.dumps(call).encode(), AT)
    assert mail is not None
    assert mail.as_json() == {
        "to": ["anna@example.com"],
        "from": "Pinewood Studio <mail@till.example>",
        "reply_to": ["hello@pinewood.example"],
        "subject": "Receipt",
        "text": "plain",
        "html": "<p>rich</p>",
        "attachments": [],
        "at": "2027-01-31T20:30:00Z",
    }


def test_a_raw_mail_is_taken_apart() -> None:
    call = {
        "FromEmailAddress": "mail@till.example",
        "Destination": {"ToAddresses": ["anna@example.com"]},
        "Content": {"Raw": {"Data": base64.b64encode(raw_mail()).decode()}},
    }
    mail = read_call(OUTBOUND_PATH, "application/json", json.dumps(call).encode(), AT)
    assert mail is not None
    assert mail.sender == "Pinewood Studio <mail@till.example>"
    assert mail.reply_to == ("hello@pinewood.example",)
    assert mail.subject == "Receipt from Pinewood Studio: €148.00"
    assert mail.text == "Thank you. You paid €148.00.\n"
    assert mail.html == "<p>Thank you.</p>\n"
    assert mail.attachments == (Attachment("INV-0001.pdf", "application/pdf", 8),)


def test_the_older_calls_of_ses_are_read_too() -> None:
    raw = {"Action": "SendRawEmail", "RawMessage.Data": base64.b64encode(raw_mail()).decode()}
    mail = read_call("/", FORM, urlencode(raw).encode(), AT)
    assert mail is not None
    assert mail.to == ("anna@example.com",)
    assert mail.html == "<p>Thank you.</p>\n"
    plain = {
        "Action": "SendEmail",
        "Source": "mail@till.example",
        "Destination.ToAddresses.member.1": "anna@example.com",
        "Destination.CcAddresses.member.1": "ben@example.com",
        "Message.Subject.Data": "Hello",
        "Message.Body.Text.Data": "plain",
    }
    mail = read_call("/", FORM, urlencode(plain).encode(), AT)
    assert mail is not None
    assert (mail.to, mail.subject, mail.text, mail.html) == (
        ("anna@example.com", "ben@example.com"),
        "Hello",
        "plain",
        None,
    )


def test_calls_that_send_nothing_are_no_mail() -> None:
    assert read_call("/", FORM, b"Action=VerifyEmailIdentity&EmailAddress=mail%40till.example", AT) is None
    assert read_call("/v2/email/identities", "application/json", b"{}", AT) is None
