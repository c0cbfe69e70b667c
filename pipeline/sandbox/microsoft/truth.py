"""What each user's mailbox really holds, item by item, as Graph shows it to that user."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pipeline.sandbox.calls import dump_json
from pipeline.sandbox.microsoft.folders import plain
from pipeline.sandbox.store import Store, User

_CHUNK_LINES = 500


def mail_lines(store: Store, user: User) -> Iterator[str]:
    """Chunks of NDJSON lines `{"stream","id","item"}`: visible folders, then their messages.

    A folder has its `wellKnownName`, if any, and no counters of mail; a message has everything.
    Nothing for a user without a mailbox.
    """
    if not store.mail.has_mailbox(user):
        return
    lines: list[str] = []
    for line in _lines(store, user):
        lines.append(line)
        if len(lines) >= _CHUNK_LINES:
            yield "".join(lines)
            lines = []
    yield "".join(lines)


def _lines(store: Store, user: User) -> Iterator[str]:
    folders = [folder for folder in store.mail.folders(user) if not folder.hidden]
    children: dict[str, int] = {}
    for folder in folders:
        children[folder.parent_id] = children.get(folder.parent_id, 0) + 1
    for folder in folders:
        shown = plain(folder, children.get(folder.id, 0))
        known = {} if folder.well_known is None else {"wellKnownName": folder.well_known}
        yield _line("folders", shown | known)
    for folder in folders:
        for item in store.mail.items(user, folder.n):
            yield _line(f"messages/{folder.id}", item.shown())


def _line(stream: str, item: dict[str, Any]) -> str:
    return f"{dump_json({'stream': stream, 'id': item['id'], 'item': item})}\n"
