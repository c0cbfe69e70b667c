"""The person and the settings of the mailbox.

https://learn.microsoft.com/graph/api/user-get-mailboxsettings
"""

from __future__ import annotations

from typing import Any

from pipeline.sandbox.calls import Call, Method, Reply
from pipeline.sandbox.microsoft import GRAPH_API
from pipeline.sandbox.microsoft.errors import bad_request
from pipeline.sandbox.microsoft.ids import object_id
from pipeline.sandbox.microsoft.people import display_name
from pipeline.sandbox.microsoft.scopes import READ_SETTINGS, READ_USER, WRITE_SETTINGS

_DAYS = ["monday", "tuesday", "wednesday", "thursday", "friday"]


def get_me(call: Call) -> Reply:
    """https://learn.microsoft.com/graph/api/user-get"""
    user = call.user
    shown = {
        "id": object_id(user.n, user.email),
        "displayName": display_name(user),
        "givenName": display_name(user).partition(" ")[0],
        "surname": display_name(user).partition(" ")[2] or None,
        "mail": user.email,
        "userPrincipalName": user.email,
    }
    asked = call.text("$select")
    if asked is not None:
        names = {name.strip() for name in asked.split(",")} | {"id"}
        shown = {name: value for name, value in shown.items() if name in names}
    return Reply.of(shown)


def get_settings(call: Call) -> Reply:
    return Reply.of(_settings(call))


def get_setting(call: Call) -> Reply:
    """One of the settings alone."""
    name = call.path_values["setting"]
    settings = _settings(call)
    if name not in settings:
        raise bad_request(f"Resource not found for the segment '{name}'.")
    value = settings[name]
    return Reply.of(value if isinstance(value, dict) else {"value": value})


def change_settings(call: Call) -> Reply:
    """The zone is all that is kept of a change."""
    zone = call.json_body().get("timeZone")
    if zone is not None:
        if not isinstance(zone, str) or not zone:
            raise bad_request("The timeZone is not supported.", "ErrorInvalidTimeZone")
        call.store.mail.set_time_zone(call.user, zone)
    return Reply.of(_settings(call))


def _settings(call: Call) -> dict[str, Any]:
    zone = call.store.mail.time_zone(call.user)
    return {
        "timeZone": zone,
        "dateFormat": "dd.MM.yyyy",
        "timeFormat": "HH:mm",
        "delegateMeetingMessageDeliveryOptions": "sendToDelegateOnly",
        "language": {"locale": "en-US", "displayName": "English (United States)"},
        "workingHours": {
            "daysOfWeek": _DAYS,
            "startTime": "09:00:00.0000000",
            "endTime": "17:00:00.0000000",
            "timeZone": {"name": zone},
        },
        "automaticRepliesSetting": {"status": "disabled"},
        "userPurpose": "user",
    }


_SETTINGS = "/me/mailboxSettings"

METHODS = (
    Method(GRAPH_API, "me.get", "GET", "/me", READ_USER, get_me),
    Method(GRAPH_API, "mailboxSettings.get", "GET", _SETTINGS, READ_SETTINGS, get_settings),
    Method(
        *(GRAPH_API, "mailboxSettings.get", "GET", _SETTINGS + "/{setting}"),
        *(READ_SETTINGS, get_setting),
    ),
    Method(
        *(GRAPH_API, "mailboxSettings.update", "PATCH", _SETTINGS),
        *(WRITE_SETTINGS, change_settings),
    ),
)
