"""What users set for all of their mailboxes, and when their habits are suggested."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from models.user import PatternSettings, Preferences
from pipeline.mailbox import preferences
from pipeline.stores import Row
from pipeline.web.api.common import Payload, UserId, acting, stores
from pipeline.web.api.mailboxes.common import Reads, Writes
from pipeline.web.api.problems import documented
from pipeline.web.api.users import known_user

router = APIRouter(
    prefix="/users/{user_id:id}",
    tags=["mail preferences"],
    responses=documented(404),
    dependencies=[stores("mongodb")],
)


class PreferencesView(BaseModel):
    """What a user has set for all of their mailboxes."""

    automation_paused: bool = Field(description="The kill switch: nothing is done to mail.")
    working_hours_start: int
    working_hours_end: int
    time_zone: str | None = Field(description="An IANA name; None: that of the mailbox.")
    contacts_mailbox_id: str | None
    contacts_folder_id: str | None


class PreferencesWanted(Payload):
    """What is to change; what is left out stays as it is."""

    automation_paused: bool | None = None
    working_hours_start: int | None = Field(default=None, ge=0, le=23)
    working_hours_end: int | None = Field(default=None, ge=0, le=23)
    time_zone: str | None = Field(default=None, max_length=64)
    contacts_mailbox_id: str | None = Field(default=None, max_length=64)
    contacts_folder_id: str | None = Field(default=None, max_length=500)


class PatternSettingsView(BaseModel):
    """When a habit is sure enough to be suggested."""

    threshold_delete: int = Field(description="In percent.")
    threshold_move: int = Field(description="In percent.")
    threshold_mark_read: int = Field(description="In percent.")
    observation_window_days: int
    rejection_cooldown_days: int
    min_sender_events: int


class PatternSettingsWanted(Payload):
    """What is to change; what is left out stays as it is."""

    threshold_delete: int | None = Field(default=None, ge=50, le=100)
    threshold_move: int | None = Field(default=None, ge=50, le=100)
    threshold_mark_read: int | None = Field(default=None, ge=50, le=100)
    observation_window_days: int | None = Field(default=None, ge=7, le=365)
    rejection_cooldown_days: int | None = Field(default=None, ge=3, le=90)
    min_sender_events: int | None = Field(default=None, ge=2, le=20)


@router.get("/mail-preferences")
def get_preferences(caller: Reads, user_id: UserId) -> PreferencesView:
    """Tell what a user has set for all of their mailboxes."""
    return _preferences(known_user(caller, user_id).get("preferences") or {})


@router.patch("/mail-preferences", responses=documented(409))
def set_preferences(
    request: Request, caller: Writes, user_id: UserId, wanted: PreferencesWanted
) -> PreferencesView:
    """Change what a user has set for all of their mailboxes, the kill switch too."""
    known_user(caller, user_id)
    changes = _given(wanted)
    fields = ", ".join(changes)
    with acting(request, caller, "user.set_preferences", f"user {user_id}", fields=fields):
        row = preferences.update_preferences(user_id, changes, by=caller.actor)
    return _preferences(row)


@router.get("/pattern-settings")
def get_pattern_settings(caller: Reads, user_id: UserId) -> PatternSettingsView:
    """Tell when habits of a user are suggested."""
    return _pattern_settings(known_user(caller, user_id).get("pattern_settings") or {})


@router.patch("/pattern-settings", responses=documented(409))
def set_pattern_settings(
    request: Request, caller: Writes, user_id: UserId, wanted: PatternSettingsWanted
) -> PatternSettingsView:
    """Change when habits of a user are suggested; it holds from the next analysis on."""
    known_user(caller, user_id)
    changes = _given(wanted)
    fields = ", ".join(changes)
    with acting(request, caller, "user.set_patterns", f"user {user_id}", fields=fields):
        row = preferences.update_pattern_settings(user_id, changes, by=caller.actor)
    return _pattern_settings(row)


def _given(wanted: Payload) -> dict[str, Any]:
    return wanted.model_dump(exclude_unset=True, exclude_none=True)


def _preferences(row: Row) -> PreferencesView:
    return PreferencesView(**_filled(Preferences, row, PreferencesView))


def _pattern_settings(row: Row) -> PatternSettingsView:
    return PatternSettingsView(**_filled(PatternSettings, row, PatternSettingsView))


def _filled(model: Any, row: Row, view: type[BaseModel]) -> dict[str, Any]:
    """Return what is set, and the model's defaults for the rest."""
    return {
        name: model._fields[name].default if row.get(name) is None else row[name]
        for name in view.model_fields
    }
