"""Rules as they are told and asked for, of a mailbox and of a tenant alike."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, Field

from models.rule import RULE_ACTIONS
from pipeline.jobs.redaction import masked
from pipeline.mailbox.reading.names import senders_of
from pipeline.masking import masked_address
from pipeline.stores import Row
from pipeline.web.api.common import Payload
from pipeline.web.api.mailboxes.views import MASKED

Action = Literal["move", "delete", "mark_read", "flag", "categorize", "archive", "popup", "forward"]
assert get_args(Action) == RULE_ACTIONS

_Address = Annotated[str, Field(min_length=3, max_length=320)]
_TEXT_CONDITIONS = ("sender_domain", "subject_contains", "body_contains", "from_folder")


class ConditionsWanted(Payload):
    """Which mail a rule is for: all that is given must hold, and something must be given."""

    sender_email: list[_Address] = Field(
        default=[], max_length=100, description="From any of these addresses."
    )
    sender_domain: str | None = Field(default=None, max_length=255)
    subject_contains: str | None = Field(default=None, max_length=500)
    body_contains: str | None = Field(
        default=None, max_length=500, description="In the first 255 characters of its text."
    )
    from_folder: str | None = Field(
        default=None, max_length=500, description="The id of the folder that it arrives in."
    )

    def values(self) -> Row:
        """Return what is given."""
        return {name: value for name, value in self.model_dump().items() if value}


class ActionWanted(Payload):
    """One thing to do with the mail."""

    action_type: Action
    to_folder: str | None = Field(default=None, max_length=500, description="Of a move: its id.")
    category: str | None = Field(default=None, max_length=255)
    popup_message: str | None = Field(default=None, max_length=1000)
    forward_to: list[_Address] | None = Field(default=None, max_length=20)
    order: int | None = Field(default=None, ge=0, le=1000)

    def values(self) -> Row:
        """Return what is given."""
        return self.model_dump(exclude_none=True)


class RuleWanted(Payload):
    """A new rule."""

    name: str = Field(min_length=1, max_length=200)
    conditions: ConditionsWanted
    actions: list[ActionWanted] = Field(min_length=1, max_length=10)
    skip_staging: bool = Field(
        default=False, description="What it deletes does not wait in the staging folder first."
    )
    is_enabled: bool = True

    def values(self) -> dict[str, Any]:
        """Return what a rule is made of."""
        return {
            "name": self.name,
            "conditions": self.conditions.values(),
            "actions": [action.values() for action in self.actions],
            "skip_staging": self.skip_staging,
            "is_enabled": self.is_enabled,
        }


class RuleChanges(Payload):
    """What is to change of a rule; what is left out stays as it is."""

    name: str | None = Field(default=None, min_length=1, max_length=200)
    conditions: ConditionsWanted | None = None
    actions: list[ActionWanted] | None = Field(default=None, min_length=1, max_length=10)
    skip_staging: bool | None = None
    is_enabled: bool | None = None

    def values(self) -> dict[str, Any]:
        """Return what is given."""
        given = self.model_dump(include=self.model_fields_set, exclude_none=True)
        if self.conditions is not None:
            given["conditions"] = self.conditions.values()
        if self.actions is not None:
            given["actions"] = [action.values() for action in self.actions]
        return given


class Order(Payload):
    """Which rules come first; those that are not named follow as they were."""

    rule_ids: list[Annotated[str, Field(pattern=r"^[0-9a-f]{24}$")]] = Field(
        min_length=1, max_length=500
    )


class ConditionsView(BaseModel):
    """Which mail a rule is for."""

    sender_email: list[str] = Field(description=MASKED)
    sender_domain: str | None
    subject_contains: str | None
    body_contains: str | None
    from_folder: str | None


class ActionView(BaseModel):
    """One thing that a rule does."""

    action_type: str
    to_folder: str | None
    category: str | None
    popup_message: str | None
    forward_to: list[str] = Field(description=MASKED)
    order: int


class RuleView(BaseModel):
    """A rule; the first that is enabled and fits a new mail is the one that acts."""

    id: str
    scope: str = Field(description="user, or org: of the tenant, after all rules of a mailbox.")
    name: str = Field(description="Addresses in it are masked.")
    is_enabled: bool
    priority: int = Field(description="The lowest comes first.")
    skip_staging: bool
    conditions: ConditionsView
    actions: list[ActionView]
    source_pattern_id: str | None
    is_mirrored: bool = Field(description="It is an inbox rule at Microsoft, too.")
    mirror_error: str | None
    total_executions: int
    last_executed_at: datetime | None
    created_at: datetime
    updated_at: datetime


class RuleList(BaseModel):
    """Rules, first to last."""

    rules: list[RuleView]


def rule_view(row: Row, *, reveal: bool) -> RuleView:
    """Return what is told of a rule."""
    stats, conditions = row.get("stats") or {}, row.get("conditions") or {}
    senders = senders_of(conditions)
    return RuleView(
        id=str(row["_id"]),
        scope=row.get("scope") or "user",
        name=row["name"] if reveal else masked(row["name"]),
        is_enabled=bool(row.get("is_enabled", True)),
        priority=row.get("priority") or 0,
        skip_staging=bool(row.get("skip_staging")),
        conditions=ConditionsView(
            sender_email=senders if reveal else [masked_address(one) for one in senders],
            **{name: conditions.get(name) for name in _TEXT_CONDITIONS},
        ),
        actions=[_action_view(action, reveal=reveal) for action in row.get("actions") or ()],
        source_pattern_id=row.get("source_pattern_id"),
        is_mirrored=bool(row.get("graph_rule_id")),
        mirror_error=row.get("mirror_error"),
        total_executions=stats.get("total_executions") or 0,
        last_executed_at=stats.get("last_executed_at"),
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def _action_view(row: Row, *, reveal: bool) -> ActionView:
    addresses = row.get("forward_to") or []
    return ActionView(
        action_type=row["action_type"],
        to_folder=row.get("to_folder"),
        category=row.get("category"),
        popup_message=row.get("popup_message"),
        forward_to=addresses if reveal else [masked_address(one) for one in addresses],
        order=row.get("order") or 0,
    )
