"""A request to AI as it would be carried out now: content, options, and who would answer."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pipeline.platform.ai import entities, providers
from pipeline.platform.ai.entities import Content, Entity, Part
from pipeline.platform.ai.kinds import Kind, kind_named
from pipeline.platform.ai.options import Options, parse
from pipeline.platform.ai.providers import Choice
from pipeline.refusals import Refused
from pipeline.stores import Row

_KEY_BYTES = 16
_NO_TEXT = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True)
class Task:
    """What is to be answered, and by whom."""

    entity: Entity
    kind: Kind
    options: Options
    content: Content
    choice: Choice

    @cached_property
    def content_hash(self) -> str:
        """What tells this content from another."""
        return self.content.hash

    @cached_property
    def key(self) -> str:
        """The id of the request: the same for all that makes no difference to the answer."""
        identity = {
            "entity": list(self.entity),
            "type": self.kind.name,
            "content": self.content_hash,
            "options": self.stored_options,
            "model": self.choice.model,
            "prompt": self.choice.prompt_version,
        }
        text = json.dumps(identity, sort_keys=True, ensure_ascii=True)
        return hashlib.blake2b(text.encode(), digest_size=_KEY_BYTES).hexdigest()

    @cached_property
    def stored_options(self) -> dict[str, Any]:
        """The options with what was left out filled in."""
        return self.options.model_dump(mode="json")


def of_text(
    tenant_id: str,
    type_name: str,
    text: str | None,
    options: Mapping[str, Any] | None,
    user_id: str | None,
) -> Task:
    """Return the task for a submitted text.  Raises Refused that names the field."""
    kind = kind_named(type_name)
    if not isinstance(text, str) or not text.strip():
        raise Refused("content", "expected a text that is not empty")
    if _NO_TEXT.search(text):
        raise Refused("content", "it has characters that no text has: NUL, or half of a pair")
    if not kind.shortest <= len(text) <= kind.longest:
        wanted = f"{kind.shortest:,} to {kind.longest:,}"
        raise Refused("content", f"{kind.name} takes {wanted} characters, not {len(text):,}")
    entity = entities.checked(tenant_id, "text", entities.hash_of(text), user_id)
    return _task(kind, entity, options, Content((Part("", text),)))


def of_entity(
    tenant_id: str,
    type_name: str,
    entity: tuple[str, str],
    options: Mapping[str, Any] | None,
    user_id: str | None,
) -> Task:
    """Return the task for a record or thread, as it is now.  Raises Refused."""
    kind = kind_named(type_name)
    checked = entities.checked(tenant_id, *entity, user_id)
    content = entities.load(checked).cut(kind.longest)
    if len(content.text.strip()) < kind.shortest:
        raise Refused("entity.id", f"it has less than {kind.shortest} characters of text")
    return _task(kind, checked, options, content)


def of_row(row: Row) -> Task:
    """Return the task of a stored request as it would be carried out now.  Raises Refused."""
    entity, user_id = row["entity"], row.get("user_id")
    if entity["kind"] == "text":
        text = row.get("content")
        if text is None:
            raise Refused("content", "the text is not kept any more; submit it again")
        return of_text(row["tenant_id"], row["type"], text, row.get("options"), user_id)
    where = (entity["kind"], entity["id"])
    return of_entity(row["tenant_id"], row["type"], where, row.get("options"), user_id)


def _task(kind: Kind, entity: Entity, options: Mapping[str, Any] | None, content: Content) -> Task:
    return Task(entity, kind, parse(kind.options, options), content, providers.choose(kind))
