from datetime import UTC, datetime

from infra.local.control_page import mail_page

NOW = datetime(2027, 1, 31, 20, 30, tzinfo=UTC)
HOSTILE = "</iframe><script>alert(1)</script>\"'"


def test_text_of_a_mail_never_becomes_markup_of_the_page() -> None:
    mail = {
        "to": [HOSTILE],
        "from": HOSTILE,
        "reply_to": [],
        "subject": HOSTILE,
        "text": HOSTILE,
        "html": f"<p>{HOSTILE}</p>",
        "attachments": [{"filename": HOSTILE, "content_type": "application/pdf", "size": 3}],
        "at": "2027-01-31T20:30:00Z",
    }
    page = mail_page([mail], NOW)
    assert "<script" not in page
    assert page.count("</iframe>") == 1
    assert page.count("&lt;script&gt;alert(1)") == 7


def test_the_newest_mail_comes_first() -> None:
    mails = [
        {
            "to": ["a@example.com"],
            "from": "b@example.com",
            "subject": subject,
            "text": None,
            "html": None,
            "attachments": [],
            "at": "",
        }
        for subject in ("earlier mail", "later mail")
    ]
    page = mail_page(mails, NOW)
    assert page.index("later mail") < page.index("earlier mail")
    assert "The clock shows 2027-01-31 20:30:00 UTC" in page
