"""MIME parts in Gmail's shape, with bodies in base64url.

Shape: https://developers.google.com/workspace/gmail/api/reference/rest/v1/users.messages#MessagePart
"""

from base64 import urlsafe_b64encode
from html import escape
from random import Random

from pipeline.sandbox.data.event_times import Item

_ATTACHMENTS = (
    ("application/pdf", "Rechnung_2026-10.pdf"),
    ("application/pdf", "contrat signé.pdf"),
    ("image/png", "screenshot.png"),
    ("image/jpeg", "写真.jpg"),
    ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "budget v2 (final).xlsx"),
    ("text/calendar", "invite.ics"),
    ("application/zip", "logs.zip"),
)


def _header(name: str, value: str) -> Item:
    return {"name": name, "value": value}


def _text_part(part_id: str, mime_type: str, text: str) -> Item:
    content = text.encode()
    return {
        "partId": part_id,
        "mimeType": mime_type,
        "filename": "",
        "headers": [
            _header("Content-Type", f'{mime_type}; charset="UTF-8"'),
            _header("Content-Transfer-Encoding", "quoted-printable"),
        ],
        "body": {"size": len(content), "data": urlsafe_b64encode(content).decode("ascii")},
    }


def _attachment_part(part_id: str, random: Random) -> Item:
    mime_type, filename = random.choice(_ATTACHMENTS)
    return {
        "partId": part_id,
        "mimeType": mime_type,
        "filename": filename,
        "headers": [
            _header("Content-Type", f'{mime_type}; name="{filename}"'),
            _header("Content-Disposition", f'attachment; filename="{filename}"'),
            _header("Content-Transfer-Encoding", "base64"),
        ],
        "body": {
            "attachmentId": f"ANGjdJ{random.randbytes(24).hex()}",
            "size": random.randint(900, 400_000),
        },
    }


def _container(part_id: str, mime_type: str, parts: list[Item]) -> Item:
    return {
        "partId": part_id,
        "mimeType": mime_type,
        "filename": "",
        "headers": [_header("Content-Type", f'{mime_type}; boundary="000000000000b{part_id}"')],
        "body": {"size": 0},
        "parts": parts,
    }


def _html(text: str) -> str:
    paragraphs = "".join(f"<p>{escape(line)}</p>" for line in text.splitlines() if line)
    return f'<div dir="ltr">{paragraphs}</div>'


def payload(text: str, random: Random) -> Item:
    """The body of a mail: plain only, HTML only, both, or both with attachments."""
    luck = random.random()
    if luck < 0.25:
        return _text_part("", "text/plain", text)
    if luck < 0.35:
        return _text_part("", "text/html", _html(text))
    if luck < 0.82:
        return _container("", "multipart/alternative", _alternatives("", text))
    body = _container("0", "multipart/alternative", _alternatives("0.", text))
    files = [_attachment_part(str(1 + index), random) for index in range(random.choice((1, 1, 2)))]
    return _container("", "multipart/mixed", [body, *files])


def _alternatives(prefix: str, text: str) -> list[Item]:
    return [
        _text_part(f"{prefix}0", "text/plain", text),
        _text_part(f"{prefix}1", "text/html", _html(text)),
    ]
