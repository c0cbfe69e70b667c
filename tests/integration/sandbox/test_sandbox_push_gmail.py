"""Gmail's watch of a mailbox, and the pushes of Pub/Sub that follow from it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import Request
from google.oauth2 import id_token
from google_client import reason
from googleapiclient.errors import HttpError

from pipeline.sandbox.client import SandboxError

GMAIL = "google_gmail"
TOPIC = "projects/headrace-sandbox/topics/gmail"
OTHER = "projects/headrace-sandbox/topics/other"
ACCOUNT = "pusher@headrace-sandbox.iam.gserviceaccount.com"
AUDIENCE = "https://headrace.example/gmail"


@pytest.fixture
def topic(sandbox, receiver):
    for name in (TOPIC, OTHER):
        sandbox.topic(name, f"{receiver.url}/gmail", AUDIENCE, ACCOUNT)
    yield TOPIC
    sandbox.wait_until_quiet()
    sandbox.clear_topics()


@pytest.fixture
def ada(new_user):
    return new_user(messages=3)


@pytest.fixture
def google(ada, sign_in):
    return sign_in(ada)


def watch(google, topic=TOPIC, **given):
    return google.gmail.watch(userId="me", body={"topicName": topic} | given).execute()


def refusal(google, **body) -> tuple[int, str]:
    with pytest.raises(HttpError) as refused:
        watch(google, **body)
    return refused.value.status_code, refused.value.reason


def mail(number: int, labels: list[str]) -> dict:
    return {
        "id": f"m{number}",
        "threadId": f"m{number}",
        "labelIds": labels,
        "internalDate": "1772323200000",
        "payload": {"mimeType": "text/plain", "headers": [], "body": {"size": 0}},
    }


def arrive(sandbox, user, number=1, labels=("INBOX", "UNREAD")):
    sandbox.put(user, GMAIL, "messages", f"m{number}", mail(number, list(labels)))


def verified(sandbox, push):
    certs_url = f"{sandbox.base_url}/oauth2/v1/certs"
    return id_token.verify_token(push.token, Request(), AUDIENCE, certs_url)


def test_a_mail_reaches_the_endpoint_of_the_topic(sandbox, ada, google, topic, receiver):
    started = datetime.fromisoformat(sandbox.clock())
    answer = watch(google)
    profile = google.gmail.getProfile(userId="me").execute()
    assert answer["historyId"] == profile["historyId"]
    lives = datetime.fromtimestamp(int(answer["expiration"]) / 1000, UTC) - started
    assert abs(lives - timedelta(days=7)) < timedelta(seconds=30)
    (first,) = receiver.wait_for(1)
    assert first.data == {
        "emailAddress": f"{ada}@sandbox.example",
        "historyId": int(answer["historyId"]),
    }
    arrive(sandbox, ada)
    second = receiver.wait_for(2)[1]
    assert second.path == "/gmail"
    assert second.data["historyId"] > first.data["historyId"]
    history = google.gmail.history().list(userId="me", startHistoryId=answer["historyId"])
    assert history.execute()["historyId"] == str(second.data["historyId"])


def test_the_envelope_is_that_of_pubsub(google, topic, receiver):
    watch(google)
    push = receiver.wait_for(1)[0]
    assert set(push.envelope) == {"message", "subscription"}
    assert push.envelope["subscription"] == "projects/headrace-sandbox/subscriptions/gmail-push"
    message = push.envelope["message"]
    assert set(message) == {"data", "messageId", "message_id", "publishTime", "publish_time"}
    assert message["messageId"] == message["message_id"]
    assert message["messageId"].isdecimal()
    assert datetime.fromisoformat(message["publishTime"]).tzinfo is UTC
    assert push.headers["content-type"] == "application/json"


def test_a_push_is_signed_for_its_audience(sandbox, google, topic, receiver):
    watch(google)
    claims = verified(sandbox, receiver.wait_for(1)[0])
    assert (claims["email"], claims["email_verified"]) == (ACCOUNT, True)
    assert (claims["iss"], claims["aud"]) == ("https://accounts.google.com", AUDIENCE)
    assert claims["exp"] - claims["iat"] == 3600
    assert claims["azp"] == claims["sub"]


def test_a_push_still_verifies_after_time_was_moved(sandbox, ada, google, topic, receiver):
    watch(google)
    sandbox.clock(86_400)
    arrive(sandbox, ada)
    assert verified(sandbox, receiver.wait_for(2)[1])


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("wrong_key", "Could not verify token signature"),
        ("unsigned", "Unsupported signature algorithm none"),
        ("expired", "Token expired"),
        ("wrong_audience", "wrong audience"),
    ],
)
def test_a_push_can_be_signed_wrongly(sandbox, google, topic, receiver, how, why):
    sandbox.fault("push_wrong_jwt", params={"how": how})
    watch(google)
    push = receiver.wait_for(1)[0]
    with pytest.raises((GoogleAuthError, ValueError), match=why):
        verified(sandbox, push)


@pytest.mark.parametrize(
    ("how", "claim", "value"),
    [
        ("wrong_email", "email", "somebody@elsewhere.example"),
        ("unverified_email", "email_verified", False),
        ("wrong_issuer", "iss", "https://elsewhere.example"),
    ],
)
def test_a_push_can_be_of_somebody_else(sandbox, google, topic, receiver, how, claim, value):
    sandbox.fault("push_wrong_jwt", params={"how": how})
    watch(google)
    assert verified(sandbox, receiver.wait_for(1)[0])[claim] == value


def test_a_push_can_come_without_a_token(sandbox, google, topic, receiver):
    sandbox.fault("push_wrong_jwt", params={"how": "missing"})
    watch(google)
    assert "authorization" not in receiver.wait_for(1)[0].headers


def test_a_mailbox_speaks_once_a_second_and_drops_the_rest(sandbox, ada, google, topic, receiver):
    sandbox.settings(gmail_push_interval_seconds=60)
    watch(google)
    for number in range(3):
        arrive(sandbox, ada, number)
    assert sandbox.wait_until_quiet()["outcomes"] == {"sent": 1, "dropped": 3}
    sandbox.clock(60)
    arrive(sandbox, ada, 4)
    assert sandbox.wait_until_quiet()["outcomes"] == {"sent": 2, "dropped": 3}


def test_a_mailbox_says_nothing_of_other_sources(sandbox, ada, google, topic, receiver):
    watch(google)
    task = {"title": "Buy milk", "status": "needsAction"}
    (entry,) = google.tasks.tasklists().list().execute()["items"]
    sandbox.put(ada, "google_tasks", f"tasks/{entry['id']}", "t1", task)
    sandbox.wait_until_quiet()
    assert len(receiver.received) == 1


def test_what_a_mail_client_does_is_told_as_well(sandbox, ada, sign_in, topic, receiver):
    google = sign_in(ada, ["https://mail.google.com/"])
    arrive(sandbox, ada)
    watch(google)
    google.gmail.messages().trash(userId="me", id="m1").execute()
    google.gmail.messages().delete(userId="me", id="m1").execute()
    assert len(receiver.wait_for(3)) == 3


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"labelIds": ["INBOX"]}, 1),
        ({"labelIds": ["SENT"]}, 0),
        ({"labelIds": ["SENT", "UNREAD"], "labelFilterBehavior": "INCLUDE"}, 1),
        ({"labelIds": ["INBOX"], "labelFilterBehavior": "exclude"}, 0),
        ({"labelIds": ["SENT"], "labelFilterAction": "exclude"}, 1),
        ({}, 1),
    ],
)
def test_labels_say_which_changes_are_told(sandbox, ada, google, topic, receiver, given, told):
    watch(google, **given)
    arrive(sandbox, ada)
    sandbox.wait_until_quiet()
    assert len(receiver.received) == 1 + told


def test_watching_again_renews(sandbox, ada, google, topic, receiver):
    first = watch(google)
    sandbox.clock(86_400)
    google.refresh()
    again = watch(google)
    assert int(again["expiration"]) - int(first["expiration"]) >= 86_400_000
    assert [found["name"] for found in sandbox.watches(ada)] == [TOPIC]
    assert len(receiver.wait_for(2)) == 2


def test_a_second_topic_is_refused_until_the_first_is_stopped(ada, google, topic, receiver):
    watch(google)
    status, text = refusal(google, topic=OTHER)
    assert status == 400
    assert "Only one user push notification client allowed per developer" in text
    assert not google.gmail.stop(userId="me").execute()
    assert watch(google, topic=OTHER)
    assert not google.gmail.stop(userId="me").execute()
    assert not google.gmail.stop(userId="me").execute()


def test_a_watch_that_ran_out_stands_in_no_ones_way(sandbox, ada, google, topic, receiver):
    watch(google)
    sandbox.wait_until_quiet()
    sandbox.clock(7 * 86_400)
    google.refresh()
    arrive(sandbox, ada)
    sandbox.wait_until_quiet()
    assert len(receiver.received) == 1
    assert watch(google, topic=OTHER)


def test_a_stopped_mailbox_says_nothing_more(sandbox, ada, google, topic, receiver):
    watch(google)
    sandbox.wait_until_quiet()
    google.gmail.stop(userId="me").execute()
    arrive(sandbox, ada)
    assert sandbox.wait_until_quiet()["outcomes"] == {"sent": 1}


@pytest.mark.parametrize(
    ("given", "status", "text"),
    [
        ({"topic": "gmail"}, 400, "does not match projects/headrace-sandbox/topics/*"),
        ({"topic": "projects/other/topics/gmail"}, 400, "does not match"),
        ({"topic": None}, 400, "does not match"),
        ({"topic": f"{TOPIC}-unknown"}, 404, "Resource not found (resource=gmail-unknown)"),
        ({"labelIds": ["Nope"]}, 400, "Invalid label"),
        ({"labelIds": "INBOX"}, 400, "labelIds"),
        ({"labelFilterBehavior": "perhaps"}, 400, "label_filter_behavior"),
    ],
)
def test_a_wrong_watch_is_refused(google, topic, given, status, text):
    answer = refusal(google, **given)
    assert answer[0] == status
    assert text in answer[1]


def test_only_ones_own_mailbox_can_be_watched(google, topic):
    with pytest.raises(HttpError) as refused:
        google.gmail.watch(userId="bob@example.com", body={"topicName": TOPIC}).execute()
    assert (refused.value.status_code, reason(refused.value)) == (403, "forbidden")


def test_watching_costs_what_the_documents_say(sandbox, google, topic):
    watch(google)
    google.gmail.stop(userId="me").execute()
    spent = {row["method"]: row["units"] for row in sandbox.usage() if row["api"] == "gmail"}
    assert spent == {"users.watch": 100, "users.stop": 50}


def test_what_is_not_taken_is_pushed_again(sandbox, google, topic, receiver):
    receiver.answer_with(401, 302, 500)
    watch(google)
    pushes = receiver.wait_for(4)
    ids = {push.envelope["message"]["messageId"] for push in pushes}
    assert len(ids) == 1
    assert sandbox.wait_until_quiet()["outcomes"] == {"retried": 3, "sent": 1}


def test_without_its_topic_nothing_is_told(sandbox, ada, google, topic, receiver):
    watch(google)
    sandbox.wait_until_quiet()
    sandbox.clear_topics()
    arrive(sandbox, ada)
    assert sandbox.wait_until_quiet()["outcomes"] == {"sent": 1, "failed": 1}


def test_topics_are_listed_with_their_subscription(sandbox, receiver):
    endpoint = f"{receiver.url}/gmail"
    made = sandbox.topic(TOPIC, endpoint)
    assert sandbox.topics() == [made]
    assert made["audience"] == endpoint
    assert made["service_account"].endswith("@headrace-sandbox.iam.gserviceaccount.com")
    sandbox.clear_topics()
    assert sandbox.topics() == []


@pytest.mark.parametrize(
    ("name", "endpoint", "field"),
    [
        ("gmail", "https://headrace.example/", "topic"),
        ("projects/headrace-sandbox/topics/google", "https://headrace.example/", "topic"),
        (TOPIC, "http://headrace.example/", "endpoint"),
        (TOPIC, "nonsense", "endpoint"),
    ],
)
def test_a_wrong_topic_is_refused_by_the_name_of_its_field(sandbox, name, endpoint, field):
    with pytest.raises(SandboxError, match=f"^400: {field}:"):
        sandbox.topic(name, endpoint)
