"""Whether syncs wait for AI: how long one takes while many requests wait for a slow model."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime

from benchmarks.index.landed import TENANT
from benchmarks.queue.measure import Results, measured, percentile, rounded
from benchmarks.web.stage import Stage
from models import AiRequest, SyncState
from models.ai import AI_OPEN
from pipeline.config import settings
from pipeline.connect import connect_google
from pipeline.dispatch import send
from pipeline.platform import ai
from pipeline.sandbox.ai import AI_API_KEY, AI_MODELS
from pipeline.stores import collection
from pipeline.sync import states

#: So many users that none is held back for being synced too often.
_REQUESTS, _ROUNDS, _USERS = 2_000, 60, 30
_SOURCE = "google_tasks"
_MODEL_SECONDS, _MOST_TIMES = 1.0, 1.5
_SIZE = {"task_lists": 1, "tasks": 5}
_LOOK_SECONDS, _PATIENCE_SECONDS = 0.005, 60.0


def time_syncs(stage: Stage) -> Results:
    """Return how long a sync takes from its request, without and beside a full line of AI."""
    os.environ.update(
        {
            "AI_BASE_URL": f"{stage.sandbox.base_url}/v1",
            "AI_API_KEY": AI_API_KEY,
            "AI_MODEL": AI_MODELS[0],
            "AI_REQUESTS_PER_MINUTE": "1000000",
            "AI_TOKENS_PER_MINUTE": "1000000000",
        }
    )
    settings.cache_clear()
    users = [f"beside-{number}" for number in range(_USERS)]
    for user in users:
        stage.sandbox.add_user(user, **_SIZE)
        connect_google(user, stage.sandbox.authorized_user(user))
    stage.sandbox.fault(
        "slow", match={"api": "openai"}, times=None, params={"seconds": _MODEL_SECONDS}
    )
    with stage.workers():
        for user in users:
            _timed(user)
        stage.log(f"{_ROUNDS} syncs")
        alone = sorted(_timed(users[n % _USERS]) for n in range(_ROUNDS))
        stage.log(f"{_REQUESTS:,} requests to AI, and {_ROUNDS} syncs")
        for number in range(_REQUESTS):
            ai.ask(TENANT, "generate-summary", content=f"Note {number}: all is well.", by="bench")
        beside = sorted(_timed(users[n % _USERS]) for n in range(_ROUNDS))
        left = collection(AiRequest).count_documents({"status": {"$in": list(AI_OPEN)}})
    stage.sandbox.clear_faults()
    if not left:
        raise RuntimeError("nothing waited for AI any more: the comparison says nothing")
    times = percentile(beside, 0.5) / percentile(alone, 0.5)
    return {
        "sync_ms_alone": {"value": rounded(percentile(alone, 0.5) * 1000, 0)},
        "sync_ms_beside_ai": {"value": rounded(percentile(beside, 0.5) * 1000, 0)},
        "sync_ms_beside_ai_p95": {"value": rounded(percentile(beside, 0.95) * 1000, 0)},
        "ai_requests_left_waiting": {"value": left},
        "times_as_long_beside_ai": measured([times], digits=2, at_most=_MOST_TIMES),
    }


def _timed(user: str) -> float:
    """Return how long it takes until a sync that is asked for now has ended."""
    asked, begun = datetime.now(UTC), time.monotonic()
    states.request(user, _SOURCE)
    send("sync", user, _SOURCE)
    done = {"user_id": user, "source": _SOURCE, "last_success_at": {"$gt": asked}}
    while collection(SyncState).find_one(done, {"_id": 1}) is None:
        if time.monotonic() - begun > _PATIENCE_SECONDS:
            raise TimeoutError("a sync takes too long; see the logs in the folder of this run")
        time.sleep(_LOOK_SECONDS)
    return time.monotonic() - begun
