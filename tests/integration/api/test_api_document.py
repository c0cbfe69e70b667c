"""The document of the API holds for whatever is sent: no 5xx, no answer that it does not tell of.

https://schemathesis.readthedocs.io/
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import outreach_document_rows
import pytest
import schemathesis
from api_client import APP, new_token
from hypothesis import HealthCheck
from hypothesis import settings as examples
from mailbox_rows import seed
from schemathesis import Case
from schemathesis.config import SchemathesisConfig
from user_rows import connected

from models import DeadLetter
from pipeline.jobs.sending import Send, enqueue
from pipeline.stores import collection

Setting = Callable[..., None]

USERS = ["ada", "bob/x", "carol"]
JOBS = ["00000000000000aa", "00000000000000bb", "sync:google_gmail:ada"]
GROUPS = ["0123456789ab", "ba9876543210"]
MAILBOXES = ["mbx-ada", "mbx-bob/x"]
FIRST_ID = 16
#: In this order three of each are made of the first mailbox.
PATTERNS, RULES, STAGED, ENTRIES = (
    [f"{FIRST_ID + 3 * kind + number:024x}" for number in range(3)] for kind in range(4)
)
#: Where the document cannot say all: an id in it may not be printable, a cursor not of this
#: list, a return address not of an origin that is set, a queue in a search not in the table,
#: a tenant not given, the content of AI too short.
MORE_THAN_THE_SCHEMA = (
    "PUT /users/{user_id}",
    "POST /users/{user_id}/connect-links",
    "POST /ai/requests",
    "GET /ai/requests/{request_id}",
    "POST /ai/requests/{request_id}/retries",
    "GET /ai/usage",
)
LISTS = ("GET /users", "GET /jobs", "GET /mailboxes", "GET /search", "GET /ai/requests")
#: What is set is checked by the models, which know more than the document can say: that a
#: domain is one, that a folder is there.
CHECKED_BY_MODELS = (
    "PATCH /mailboxes/{mailbox}/settings",
    "GET /mailboxes/{mailbox}/patterns",
    "POST /mailboxes/{mailbox}/patterns/{pattern}/customize",
    "POST /mailboxes/{mailbox}/patterns/{pattern}/suppress",
    "POST /mailboxes/{mailbox}/rules",
    "PUT /mailboxes/{mailbox}/rule-order",
    "POST /mailboxes/{mailbox}/rule-simulations",
    "PATCH /mailboxes/{mailbox}/rules/{rule}",
    "PATCH /tenants/{tenant}/mail-policy",
    "POST /tenants/{tenant}/mail-rules",
    "PUT /tenants/{tenant}/mail-rule-order",
    "PATCH /tenants/{tenant}/mail-rules/{rule}",
    "PATCH /users/{user_id}/mail-preferences",
)
#: So are plans, contacts and senders; a file of contacts has headings that no schema can name.
OUTREACH_CHECKED = {
    "PATCH": ("", "/senders/{sender}", "/contacts/{contact}", "/campaigns/{campaign}"),
    "POST": (
        *("/senders", "/contacts", "/contact-imports", "/campaigns", "/suppressions"),
        *("/plan-checks", "/campaigns/{campaign}/plans", "/campaigns/{campaign}/enrollments"),
    ),
    "GET": (
        *("/contacts", "/contact-imports", "/campaigns", "/enrollments", "/scheduled-actions"),
        *("/messages", "/deliveries", "/suppressions"),
    ),
}
OUTREACH = tuple(
    f"{method} /tenants/{{tenant}}/outreach{path}"
    for method, paths in OUTREACH_CHECKED.items()
    for path in paths
)
REJECTED = ["400", "401", "403", "404", "405", "406", "413", "422"]
ACCEPTED = ["2xx", "401", "403", "404", "409", "422"]

#: Whether time is no matter: `make test-long`.
THOROUGH = examples().max_examples > 100

CONFIG = SchemathesisConfig.from_dict(
    {
        # All that the document allows or forbids, one by one; else some at random.
        "phases": {"coverage": {"enabled": THOROUGH}},
        "dictionaries": {
            "users": {"values": USERS},
            "jobs": {"values": JOBS},
            "groups": {"values": GROUPS},
            "mailboxes": {"values": MAILBOXES},
            "patterns": {"values": PATTERNS},
            "rules": {"values": RULES},
            "staged": {"values": STAGED},
            "entries": {"values": ENTRIES},
            "tenants": {"values": ["acme"]},
            "senders": {"values": outreach_document_rows.SENDERS},
            "contacts": {"values": outreach_document_rows.CONTACTS},
            "imports": {"values": outreach_document_rows.IMPORTS},
            "campaigns": {"values": outreach_document_rows.CAMPAIGNS},
            "enrollments": {"values": outreach_document_rows.ENROLLMENTS},
            "messages": {"values": outreach_document_rows.MESSAGES},
            "deliveries": {"values": outreach_document_rows.DELIVERIES},
            "suppressions": {"values": outreach_document_rows.SUPPRESSIONS},
        },
        "parameters": {
            "path.user_id": {"dictionary": "users", "probability": 0.7},
            "path.job": {"dictionary": "jobs", "probability": 0.7},
            "path.group": {"dictionary": "groups", "probability": 0.7},
            "path.mailbox": {"dictionary": "mailboxes", "probability": 0.8},
            "path.pattern": {"dictionary": "patterns", "probability": 0.8},
            "path.rule": {"dictionary": "rules", "probability": 0.8},
            "path.staged": {"dictionary": "staged", "probability": 0.8},
            "path.entry": {"dictionary": "entries", "probability": 0.8},
            "path.tenant": {"dictionary": "tenants", "probability": 0.8},
            "path.sender": {"dictionary": "senders", "probability": 0.8},
            "path.contact": {"dictionary": "contacts", "probability": 0.8},
            "path.contact_import": {"dictionary": "imports", "probability": 0.8},
            "path.campaign": {"dictionary": "campaigns", "probability": 0.8},
            "path.enrollment": {"dictionary": "enrollments", "probability": 0.8},
            "path.message": {"dictionary": "messages", "probability": 0.8},
            "path.delivery": {"dictionary": "deliveries", "probability": 0.8},
            "path.suppression": {"dictionary": "suppressions", "probability": 0.8},
        },
        "operations": [
            {
                "include-name": name,
                "checks": {
                    "positive_data_acceptance": {"expected-statuses": ACCEPTED},
                    "negative_data_rejection": {"expected-statuses": REJECTED},
                },
            }
            for name in (*MORE_THAN_THE_SCHEMA, *CHECKED_BY_MODELS, *LISTS, *OUTREACH)
        ]
        + [
            {
                "include-name": "POST /tenants/{tenant}/outreach/senders/{sender}/verify",
                # Its provider does not answer here.
                "checks": {"not_a_server_error": {"expected-statuses": ["2xx", "4xx", "503"]}},
            }
        ],
    }
)

schemathesis.serializer.alias("text/csv", "text/plain")
schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", APP, config=CONFIG)


@pytest.fixture
def token(stores: None, setting: Setting) -> str:
    """A token of all scopes, and users, jobs and dead letters to use it on."""
    setting(API_REQUESTS_PER_MINUTE=1_000_000, PUBLIC_BASE_URL="https://headrace.example")
    for user_id in USERS:
        connected(user_id)
    waiting = Send("sync", ("ada", "google_tasks"))
    delayed = Send("sync", ("ada", "google_gmail"), delay_seconds=3600)
    enqueue([waiting, delayed], JOBS[:2])
    for number, group in enumerate(GROUPS):
        collection(DeadLetter).insert_one(_letter(f"letter{number}", group))
    return new_token()


@pytest.fixture
def mail_token(token: str) -> str:
    """A token of all scopes, and mailboxes to use it on."""
    seed("ada", mails=1, first_id=FIRST_ID)
    seed("bob/x", mails=0)
    return token


@pytest.fixture
def outreach_token(
    request: pytest.FixtureRequest, servers: dict[str, str], setting: Setting
) -> str:
    """A token of all scopes, and outreach to use it on, which is left as others have made it.

    To empty the stores for each operation would take longer than to try it.
    """
    if not outreach_document_rows.is_there():
        request.getfixturevalue("stores")
        outreach_document_rows.seed()
    setting(API_REQUESTS_PER_MINUTE=1_000_000, PUBLIC_BASE_URL="https://headrace.example")
    return new_token()


def _letter(name: str, group: str) -> dict[str, Any]:
    now = datetime.now(UTC)
    return {
        "_id": name,
        "message_id": name,
        "job_id": f"sync:google_gmail:{name}",
        "status": "open",
        "times": 1,
        "counted": [name],
        "first_seen_at": now,
        "last_seen_at": now,
        "job": "sync",
        "queue": "data-sync",
        "tenant_id": "acme",
        "user_id": name,
        "args": f'["{name}","google_gmail"]'.encode(),
        "options": b"",
        "fingerprint": group,
        "reason": "permanent",
        "error": {"class": "Permanent", "message": "refused"},
        "traceback": "",
        "attempts": 1,
        "deaths": 0,
        "release": "test",
        "worker": "",
        "correlation_id": "",
        "log": [],
        "replays": 0,
    }


#: What is about mailboxes: as many operations as all others, so each is tried less often.
MAIL = r"^/mailboxes|/(mail-[a-z-]+|pattern-settings|notifications)"
#: What is about outreach: still more.
CAMPAIGNS = r"^/tenants/{tenant}/outreach"


def _others(than: str) -> str:
    """Return what matches all other paths: `include` would try every operation all the same."""
    return f"^(?!.*({than}))"


def _examples(share: float) -> Any:
    return examples(
        max_examples=max(2, round(share * examples().max_examples)),
        derandomize=True,
        deadline=None,
        database=None,
        # One world for all examples is meant; half of what is made is wrong on purpose.
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much],
    )


@schema.exclude(path_regex=f"{MAIL}|{CAMPAIGNS}").parametrize()
@_examples(0.15)
def test_every_answer_is_as_the_document_says(case: Case, token: str) -> None:
    case.call_and_validate(headers={"Authorization": f"Bearer {token}"})


@schema.exclude(path_regex=_others(MAIL)).parametrize()
@_examples(0.05)
def test_every_answer_about_mailboxes_is_too(case: Case, mail_token: str) -> None:
    case.call_and_validate(headers={"Authorization": f"Bearer {mail_token}"})


@schema.exclude(path_regex=_others(CAMPAIGNS)).parametrize()
@_examples(0.05)
def test_every_answer_about_outreach_is_too(case: Case, outreach_token: str) -> None:
    case.call_and_validate(headers={"Authorization": f"Bearer {outreach_token}"})
