"""What goes over the wire to a subscriber.

https://learn.microsoft.com/graph/change-notifications-delivery-webhooks
https://learn.microsoft.com/graph/change-notifications-lifecycle-events
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import requests

from pipeline.sandbox.calls import dump_json
from pipeline.sandbox.clock import rfc3339
from pipeline.sandbox.microsoft import TENANT_ID
from pipeline.sandbox.push.messages import Message
from pipeline.sandbox.push.outbox import Notification

#: As many notices of one subscription as go into one body.
MOST_IN_BODY = 50
_JSON = {"Content-Type": "application/json; charset=utf-8"}
_VALIDATION_SECONDS = 10
_GOOD = 200


def is_lifecycle(told: Notification) -> bool:
    return told.state.startswith('{"lifecycle"')


def address_of(told: Notification) -> str:
    """Where a notice goes: lifecycle notices have an address of their own."""
    name = "lifecycle_address" if is_lifecycle(told) else "address"
    return str(told.details[name])


def notice_message(told: Sequence[Notification], *, wrong_token: bool = False) -> Message:
    """One POST with one or more notices of the same subscription and kind."""
    value = [_notice(one, wrong_token=wrong_token) for one in told]
    return Message(address_of(told[0]), _JSON, dump_json({"value": value}).encode())


def _notice(told: Notification, *, wrong_token: bool) -> dict[str, Any]:
    details, note = told.details, json.loads(told.state)
    state = details["client_state"]
    notice: dict[str, Any] = {
        "subscriptionId": told.name,
        "subscriptionExpirationDateTime": rfc3339(told.expires_ms),
    }
    if state is not None or wrong_token:
        notice["clientState"] = f"{state or ''}-wrong" if wrong_token else state
    if "lifecycle" in note:
        notice |= {"lifecycleEvent": note["lifecycle"], "organizationId": TENANT_ID}
        return notice | {"resource": details["resource"]}
    resource = f"Users/{details['object_id']}/Messages/{note['id']}"
    data = {
        "@odata.type": "#Microsoft.Graph.Message",
        "@odata.id": resource,
        "@odata.etag": note["etag"],
        "id": note["id"],
    }
    changed = {"changeType": note["change"], "resource": resource, "resourceData": data}
    return notice | changed | {"tenantId": TENANT_ID}


def answers_validation(address: str, token: str) -> bool:
    """Whether the receiver echoes the token within ten seconds, as plain text."""
    with requests.Session() as session:
        session.trust_env = False  # a proxy has no business with receivers of a local sandbox
        try:
            answer = session.post(
                address,
                params={"validationToken": token},
                headers={"Content-Type": "text/plain; charset=utf-8"},
                timeout=_VALIDATION_SECONDS,
                allow_redirects=False,
            )
        except requests.RequestException:
            return False
    plain = answer.headers.get("content-type", "").startswith("text/plain")
    return answer.status_code == _GOOD and plain and answer.text == token
