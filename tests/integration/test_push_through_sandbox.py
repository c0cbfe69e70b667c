"""From a change at Google to our copy: pushed, received, stored, queued, synced; nobody polls."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import dramatiq
import pytest
import uvicorn
from waiting import wait_until

from models import EmailEvent, Record, Subscription, SyncState, WebhookDelivery
from pipeline.broker import make_broker
from pipeline.connect import connect_google, connect_microsoft
from pipeline.dispatch import send
from pipeline.jobs.names import actor_options
from pipeline.sandbox.client import SandboxClient
from pipeline.sandbox.push.topics import SERVICE_ACCOUNT
from pipeline.stores import collection
from pipeline.verify import verify
from pipeline.web.app import create_app
from pipeline.web.server import bind

ADA = "ada"
CALENDAR, GMAIL = "google_calendar", "google_gmail"
PRIMARY = f"events/{ADA}@sandbox.example"
TOPIC = "projects/headrace-sandbox/topics/gmail"
SIZE = {"calendars": 3, "events": 5, "messages": 5}


@pytest.fixture
def web(sandbox: SandboxClient, sandbox_url: str, setting: Callable[..., None]) -> Iterator[str]:
    """Our web, at the address to which the sandbox is told to push."""
    listening = bind("127.0.0.1", 0)
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    setting(
        PUBLIC_BASE_URL=url,
        GOOGLE_CERTS_URL=f"{sandbox_url}/oauth2/v1/certs",
        GOOGLE_PUBSUB_TOPIC=TOPIC,
        GOOGLE_PUBSUB_SERVICE_ACCOUNT=SERVICE_ACCOUNT,
    )
    sandbox.topic(TOPIC, f"{url}/webhooks/google/gmail")
    before = sandbox.settings()
    sandbox.settings(push_backoff_seconds=0.01, push_attempts=10, gmail_push_interval_seconds=0)
    sandbox.clear_pushes()
    server = uvicorn.Server(uvicorn.Config(create_app(), log_level="warning", log_config=None))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield url
        sandbox.clear_faults()
        sandbox.wait_until_quiet()
    finally:
        sandbox.clear_pushes()
        sandbox.settings(**{name: before[name] for name in before if "push" in name})
        server.should_exit = True
        thread.join()
        listening.close()


@pytest.fixture
def worker(web: str) -> Iterator[None]:
    """A worker in this process that runs every job of ours."""
    import actors  # noqa: F401 - declares them
    from pipeline.broker import broker

    made = make_broker()
    for name, actor in broker().actors.items():
        dramatiq.actor(actor.fn, broker=made, **actor_options(name))
    running = dramatiq.Worker(made, worker_timeout=50, worker_threads=4)
    running.start()
    yield
    running.stop()
    made.close()


@pytest.fixture
def ada(sandbox: SandboxClient, worker: None) -> str:
    """A user whose calendars and mailbox are copied, and pushed from now on."""
    sandbox.add_user(ADA, **SIZE)
    connect_google(ADA, sandbox.authorized_user(ADA))
    unwanted = {"user_id": ADA, "source": {"$nin": [CALENDAR, GMAIL]}}
    collection(SyncState).delete_many(unwanted)
    for source in (CALENDAR, GMAIL):
        send("sync", ADA, source)
        wait_until(lambda source=source: state(source).get("fresh_as_of"), f"{source} is copied")
    send("renew_subscriptions")
    wait_until(lambda: is_live(CALENDAR) and is_live(GMAIL), "both are pushed")
    wait_until(lambda: send("dispatch") and is_fresh(), "what there was to do is done")
    sandbox.wait_until_quiet()
    return ADA


def state(source: str) -> dict[str, Any]:
    found = collection(SyncState).find_one({"user_id": ADA, "source": source})
    assert found is not None
    return found


def is_live(source: str) -> bool:
    return state(source).get("live_push_until") is not None


def holds(source: str, item_id: str) -> bool:
    wanted = {"user_id": ADA, "source": source, "item_id": item_id, "deleted_at": None}
    return collection(Record).find_one(wanted) is not None


def is_fresh() -> bool:
    """Return whether nothing is under way, or due."""
    if collection(WebhookDelivery).find_one({"open": True}) is not None:
        return False
    now = datetime.now(UTC)
    states = [state(source) for source in (CALENDAR, GMAIL)]
    return all(one["status"] == "idle" and one["next_due_at"] > now for one in states)


def write_event(sandbox: SandboxClient, item_id: str) -> None:
    today = datetime.now(UTC).date()
    times = {"start": {"date": f"{today}"}, "end": {"date": f"{today + timedelta(days=1)}"}}
    event = {"status": "confirmed", "summary": "Lunch"} | times
    sandbox.put(ADA, CALENDAR, PRIMARY, item_id, event)


def receive_mail(sandbox: SandboxClient, item_id: str) -> None:
    headers = [{"name": "Subject", "value": "Lunch"}, {"name": "From", "value": "bob@example.com"}]
    mail = {
        "threadId": item_id,
        "labelIds": ["INBOX", "UNREAD"],
        "internalDate": str(int(datetime.now(UTC).timestamp() * 1000)),
        "payload": {"mimeType": "text/plain", "headers": headers, "body": {"size": 0}},
    }
    sandbox.put(ADA, GMAIL, "messages", item_id, mail | {"id": item_id})


def test_a_change_at_google_lands_without_a_poll(sandbox, ada) -> None:
    due = {source: state(source)["next_due_at"] for source in (CALENDAR, GMAIL)}
    write_event(sandbox, "event1")
    receive_mail(sandbox, "mail1")
    wait_until(lambda: holds(CALENDAR, "event1"), "the event is copied")
    wait_until(lambda: holds(GMAIL, "mail1"), "the mail is copied")
    wait_until(is_fresh, "all is done")
    for source, due_at in due.items():
        assert due_at > state(source)["last_success_at"] > state(source)["pushed_at"]
        assert collection(WebhookDelivery).find_one({"source": source}) is not None


@pytest.mark.long
def test_a_mutated_user_is_copied_to_the_last_item(sandbox, ada) -> None:
    assert_each_stream_is_watched(sandbox)
    sandbox.mutate(3, 60, [ADA])
    sandbox.wait_until_quiet()
    # A user's syncs are limited to ten a minute, and here each push may want one.
    wait_until(is_fresh, "all is done", 80)
    verdict = verify(ADA, sandbox)
    assert verdict.mongodb == 0, verdict.examples


def assert_each_stream_is_watched(sandbox) -> None:
    """Once, but for the calendars that Google makes and does not push."""
    watched = [row["stream"] for row in sandbox.watches(ADA) if row["api"] == "calendar"]
    rows = list(collection(Subscription).find({"source": CALENDAR}))
    by_status = {
        status: sorted(row["stream"] for row in rows if row["status"] == status)
        for status in {row["status"] for row in rows}
    }
    unpushed = by_status.pop("unsupported")
    assert all(stream.endswith("@group.v.calendar.google.com") for stream in unpushed)
    assert by_status == {"active": sorted(watched)}
    assert {"calendars", PRIMARY} < set(watched)


def test_disturbed_pushes_lead_to_the_same_copy(sandbox, ada) -> None:
    sandbox.fault("push_duplicate", match={"api": "calendar"})
    sandbox.fault("push_reorder", match={"api": "calendar"}, params={"seconds": 0.1})
    sandbox.fault("push_duplicate", match={"api": "gmail"})
    for how in ("wrong_key", "unsigned", "missing", "expired", "wrong_email"):
        sandbox.fault("push_wrong_jwt", params={"how": how})
    for number in range(8):
        write_event(sandbox, f"event{number}")
        receive_mail(sandbox, f"mail{number}")
    found = sandbox.wait_until_quiet()["outcomes"]
    assert found["retried"] == 5
    assert not {"failed", "lost"} & set(found)
    assert {rule["hits"] for rule in sandbox.faults()} == {1}
    # A slow machine needs more syncs, of which ten may start in a minute.
    wait_until(is_fresh, "all is done", 90)
    for number in range(8):
        assert holds(CALENDAR, f"event{number}")
        assert holds(GMAIL, f"mail{number}")


def test_a_push_with_a_wrong_token_changes_nothing(sandbox, ada) -> None:
    sandbox.fault("push_wrong_token")
    write_event(sandbox, "event1")
    assert sandbox.wait_until_quiet()["outcomes"]["failed"] == 1
    assert collection(WebhookDelivery).find_one({"source": CALENDAR}) is None
    assert not holds(CALENDAR, "event1")


def test_a_mail_at_microsoft_lands_and_is_observed_without_a_poll(sandbox, worker) -> None:
    sandbox.add_user("mia")
    sandbox.open_mailbox("mia")
    connect_microsoft("mia", sandbox.microsoft_grant("mia"))
    wanted = {"user_id": "mia", "source": "microsoft_mail"}
    send("dispatch_mailboxes")
    wait_until(
        lambda: (collection(SyncState).find_one(wanted) or {}).get("fresh_as_of"),
        "the mailbox is copied",
    )
    send("renew_subscriptions")
    live = wanted | {"live_push_until": {"$gt": datetime.now(UTC)}}
    wait_until(lambda: collection(SyncState).find_one(live), "it is pushed")
    mail = sandbox.mail_add("mia", "inbox", {"subject": "Lunch"})
    arrived = {"user_id": "mia", "message_id": mail, "event_type": "arrived"}
    wait_until(lambda: collection(EmailEvent).find_one(arrived), "it is seen to arrive")
    sandbox.mail_move("mia", mail, "archive")
    moved = arrived | {"event_type": "moved"}
    wait_until(lambda: collection(EmailEvent).find_one(moved), "it is seen to be moved")
    sandbox.wait_until_quiet()
