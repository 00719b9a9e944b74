"""The page of sent mail, for people: every mail as its reader would see it, in a frame that runs no script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from html import escape
from typing import Any, Final

_STYLE: Final = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; }
article { border: 1px solid #8886; border-radius: .5rem; margin: 1.5rem 0; padding: 1rem; }
h2 { font-size: 1.125rem; margin: 0 0 .25rem; overflow-wrap: anywhere; }
p { margin: 0 0 .75rem; overflow-wrap: anywhere; }
iframe { width: 100%; height: 40rem; border: 1px solid #8886; background: #fff; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; font: .875rem/1.5 ui-monospace, monospace; }
"""


def mail_page(mails: Sequence[Mapping[str, Any]], now: datetime) -> str:
    """A whole HTML page; `mails` in the shape of GET /mail, shown newest first, `now` by the machine's clock."""
    listed = "".join(_article(mail) for mail in reversed(mails)) or "<p>No mail has been sent yet.</p>"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Mail sent by this machine ({len(mails)})</title><style>{_STYLE}</style></head><body>"
        "<h1>Mail sent by this machine</h1>"
        f"<p>The clock shows {now:%Y-%m-%d %H:%M:%S} UTC. Newest first; reload for more.</p>"
        f"{listed}</body></html>"
    )


def _article(mail: Mapping[str, Any]) -> str:
    files = "".join(
        f"<p>Attached: {escape(str(file['filename']))}, {file['size']} bytes</p>" for file in mail["attachments"]
    )
    html = ""
    if mail["html"] is not None:
        # Links open beside this page: inside a frame without scripts they would lead nowhere.
        document = f'<base target="_blank">{mail["html"]}'
        html = (
            f'<iframe title="{escape(mail["subject"])}" sandbox="allow-popups allow-popups-to-escape-sandbox" '
            f'srcdoc="{escape(document)}"></iframe>'
        )
    text = f"<details><summary>Plain text</summary><pre>{escape(mail['text'])}</pre></details>" if mail["text"] else ""
    return (
        f"<article><h2>{escape(mail['subject'])}</h2>"
        f"<p>To {escape(', '.join(mail['to']))}<br>From {escape(mail['from'])}<br>{escape(mail['at'])}</p>"
        f"{html}{text}{files}</article>"
    )
