"""A worker is killed between any two side effects of a request: one result, each call told once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import ai_rows as rows
import pytest
from chat_server import ChatServer
from dying_job import killed

from models import AiRequest
from pipeline.errors import LeaseLost, Permanent
from pipeline.platform import ai
from pipeline.stores import Row, collection, redis_client

PACKAGE = "pipeline.platform.ai"
RUN = f"{PACKAGE}:run"
#: Where a job is killed, how often the model was asked by then, and calls that stand unanswered.
POINTS = [
    (f"{PACKAGE}.rows:claim", "after", 0, 0),
    (f"{PACKAGE}.quotas:charge", "after", 0, 0),
    (f"{PACKAGE}.ledger:begin", "after", 0, 1),
    ("pipeline.clients.openai_chat:complete", "after", 1, 1),
    (f"{PACKAGE}.ledger:end", "after", 1, 0),
    (f"{PACKAGE}.rows:done", "before", 1, 0),
    (f"{PACKAGE}.rows:done", "after", 1, 0),
]


def expire(row: Row) -> None:
    """Have the claim of a killed worker be over."""
    past = datetime.now(UTC) - timedelta(seconds=1)
    over = {"lease_until": past, "look_at": past}
    collection(AiRequest).update_one({"_id": row["_id"], "status": "running"}, {"$set": over})


@pytest.mark.long
@pytest.mark.parametrize(("point", "when", "asked", "unanswered"), POINTS)
def test_a_request_that_is_killed_anywhere_is_answered_once(
    chat: ChatServer, point: str, when: str, asked: int, unanswered: int
) -> None:
    tenant, _ = rows.new_user()
    row = rows.ask_text(tenant)
    killed(point, when, RUN, row["_id"])
    assert len(chat.requests) == asked
    if rows.stored(row)["status"] == "running":
        with pytest.raises(LeaseLost):
            ai.run(row["_id"])
        expire(row)
        redis_client().flushdb()
        assert ai.find().startswith("1 request ")
        rows.done(row)
    found = rows.stored(row)
    assert (found["status"], found["result"]["summary"]) == ("done", "It is due.")
    calls = rows.calls(row)
    assert len({call["_id"] for call in calls}) == len(calls)
    # Each call to the model is in the ledger, once, whether its answer was lost or not.
    assert sum(not call["answered"] for call in calls) == unanswered
    assert len(calls) - unanswered == len(chat.requests) - asked * unanswered
    assert ai.run(row["_id"]) == "it was answered before"
    assert len(rows.calls(row)) == len(calls)


def test_a_request_over_which_workers_are_lost_is_given_up(chat: ChatServer) -> None:
    tenant, _ = rows.new_user()
    row = rows.ask_text(tenant)
    past = datetime.now(UTC) - timedelta(seconds=1)
    lost = {"status": "running", "attempts": 5, "fence": 5, "lease_until": past}
    collection(AiRequest).update_one({"_id": row["_id"]}, {"$set": lost})
    with pytest.raises(Permanent, match="5 workers were lost over it"):
        ai.run(row["_id"])
    assert rows.stored(row)["status"] == "failed"
    assert chat.requests == []
