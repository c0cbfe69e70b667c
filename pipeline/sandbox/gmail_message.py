"""One Gmail message in its four formats.

https://developers.google.com/workspace/gmail/api/reference/rest/v1/Format
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

from pipeline.sandbox.calls import Call, dump_json

Part = dict[str, Any]

#: What every reader of a message selects from `items`.
COLUMNS = "body, head, content"


def formatted(call: Call, row: tuple[str, str, str], wanted: str) -> str:
    """The JSON of a message in the format `wanted`: minimal, metadata, full or raw."""
    body, head, content = row
    if wanted == "minimal":
        return body
    if wanted == "metadata":
        return f'{body[:-1]},"payload":{_chosen_headers(head, call.many("metadataHeaders"))}}}'
    if wanted == "raw":
        raw = base64.urlsafe_b64encode(rfc822(json.loads(content))).decode()
        return f'{body[:-1]},"raw":"{raw}"}}'
    return f'{body[:-1]},"payload":{content}}}'


def _chosen_headers(head: str, names: list[str]) -> str:
    """The head with only the headers that are asked for, in any case; all if none are."""
    if not names:
        return head
    wanted = {name.casefold() for name in names}
    payload = json.loads(head)
    payload["headers"] = [
        header for header in payload.get("headers", []) if header["name"].casefold() in wanted
    ]
    return dump_json(payload)


def header_values(head: str, name: str) -> Iterator[str]:
    for header in json.loads(head).get("headers", []):
        if header["name"].casefold() == name.casefold():
            yield header["value"]


def rfc822(payload: Part) -> bytes:
    """The message as it came over SMTP, put together again from its parts."""
    boundary = f"=_{payload.get('partId') or 'part'}_{len(payload.get('parts', []))}"
    lines = [f"{header['name']}: {header['value']}" for header in payload.get("headers", [])]
    if not any(line.casefold().startswith("content-type:") for line in lines):
        lines.append(f"Content-Type: {payload.get('mimeType', 'text/plain')}")
    if not payload.get("parts"):
        return "\r\n".join([*lines, "", ""]).encode() + _data(payload)
    kept = [line for line in lines if not line.casefold().startswith("content-type:")]
    kept.append(f'Content-Type: {payload["mimeType"]}; boundary="{boundary}"')
    parts = [f"--{boundary}\r\n".encode() + rfc822(part) for part in payload["parts"]]
    end = f"--{boundary}--\r\n".encode()
    return "\r\n".join([*kept, "", ""]).encode() + b"\r\n".join([*parts, end])


def _data(part: Part) -> bytes:
    data = part.get("body", {}).get("data", "")
    return base64.urlsafe_b64decode(data + "=" * (-len(data) % 4))


#: The formats, as the API spells them.
FORMATS = ("minimal", "full", "raw", "metadata")
