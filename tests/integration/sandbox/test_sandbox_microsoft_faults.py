"""What goes wrong at Microsoft: throttling, faults, and rules and changes that nobody asked for."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from graph_client import IMMUTABLE, Graph

INBOX = "/me/mailFolders/inbox/messages"


@pytest.fixture
def ada(sandbox, new_user):
    user = new_user(messages=0)
    sandbox.open_mailbox(user)
    return user


@pytest.fixture
def graph(sandbox, ada):
    opened = Graph(sandbox.base_url, sandbox.microsoft_grant(ada)["access_token"])
    yield opened
    opened.close()


@pytest.fixture
def quotas(sandbox):
    sandbox.settings(quotas_enabled=True)
    sandbox.clear_usage()
    yield sandbox
    sandbox.settings(quotas_enabled=False, quota_scale=1.0)


def test_four_requests_of_a_mailbox_run_at_once(quotas, ada, graph):
    quotas.fault("slow", match={"api": "microsoft"}, times=4, params={"seconds": 0.5})
    with ThreadPoolExecutor(4) as pool:
        slow = [pool.submit(graph.ask, "GET", "/me") for _ in range(4)]
        while sum(fault["hits"] for fault in quotas.faults()) < 4:
            time.sleep(0.01)
        other = Graph(quotas.base_url, quotas.microsoft_grant(ada)["access_token"])
        refused = other.ask("GET", "/me")
        part = {"id": "1", "method": "GET", "url": "/me"}
        assert other.batch([part])["1"]["status"] == 429
        assert [reply.result().status_code for reply in slow] == [200] * 4
    assert refused.status_code == 429
    assert refused.json()["error"]["code"] == "ApplicationThrottled"
    assert "MailboxConcurrency" in refused.json()["error"]["message"]
    assert int(refused.headers["retry-after"]) >= 1
    assert other.get("/me")["mail"]
    other.close()


def test_a_mailbox_has_ten_thousand_requests_in_ten_minutes(quotas, ada, graph, new_user):
    quotas.settings(quota_scale=0.001)
    parts = [{"id": str(n), "method": "GET", "url": "/me"} for n in range(12)]
    answers = graph.batch(parts)
    assert sorted(answer["status"] for answer in answers.values()) == [200] * 10 + [429] * 2
    throttled = next(answer for answer in answers.values() if answer["status"] == 429)
    assert 0 < int(throttled["headers"]["Retry-After"]) <= 600
    bob = new_user(messages=0)
    other = Graph(quotas.base_url, quotas.microsoft_grant(bob)["access_token"])
    assert other.ask("GET", "/me").status_code == 200, "each mailbox has its own"
    other.close()


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"code": 401}, "InvalidAuthenticationToken"),
        ({"code": 403}, "ErrorAccessDenied"),
        ({"code": 429, "retry_after": 3}, "ApplicationThrottled"),
        ({"code": 503}, "MailboxInfoStale"),
        ({"code": 404, "reason": "ResourceNotFound"}, "ResourceNotFound"),
    ],
)
def test_a_status_is_told_in_graphs_words(sandbox, ada, graph, params, code):
    sandbox.fault("status", match={"api": "microsoft", "user": ada}, params=params)
    reply = graph.ask("GET", "/me/messages")
    assert (reply.status_code, reply.json()["error"]["code"]) == (params["code"], code)
    assert reply.headers.get("retry-after") == (
        str(params["retry_after"]) if "retry_after" in params else None
    )
    assert graph.get("/me/messages")["value"] == []


def test_answers_break_get_lost_and_come_spoilt(sandbox, ada, graph):
    sandbox.mail_add(ada, "inbox", {"subject": "m"})
    for kind, params in (("drop", {"after_bytes": 10}), ("hang", {"seconds": 0.1})):
        sandbox.fault(kind, match={"method": "messages.list"}, params=params)
        with pytest.raises(requests.RequestException):
            graph.ask("GET", INBOX)
    sandbox.fault("drop", match={"method": "messages.list"})
    with pytest.raises(requests.RequestException):
        graph.batch([{"id": "1", "method": "GET", "url": INBOX}])
    sandbox.fault("invalid_json", match={"method": "messages.list"})
    with pytest.raises(ValueError, match=r"JSON|Expecting|Unterminated"):
        graph.ask("GET", INBOX).json()
    sandbox.fault("malformed_item", match={"method": "messages.delta"}, params={"what": "bad_date"})
    (item,) = graph.get(f"{INBOX}/delta")["value"]
    assert item["receivedDateTime"].startswith("2026-13-45")
    sandbox.fault("malformed_item", match={"method": "messages.list"}, params={"what": "no_id"})
    assert "id" not in graph.get(INBOX)["value"][0]
    sandbox.fault("status", match={"method": "messages.get"}, params={"code": 503})
    message_id = graph.get(INBOX)["value"][0]["id"]
    part = {"method": "GET", "url": f"/me/messages/{message_id}"}
    answers = graph.batch([part | {"id": "a"}, part | {"id": "b"}])
    assert sorted(answer["status"] for answer in answers.values()) == [200, 503]


def test_inbox_rules_act_on_what_arrives(sandbox, ada, graph, new_user):
    bob = new_user(messages=0)
    sandbox.open_mailbox(bob)
    root = "/me/mailFolders/inbox/messageRules"
    bills = sandbox.mail_folder_add(ada, "Bills")
    sender = {"emailAddress": {"name": "Shop", "address": "Shop@Example.com"}}
    rule = {
        "displayName": "Bills",
        "conditions": {"fromAddresses": [sender], "subjectContains": ["bill"]},
        "actions": {"moveToFolder": bills, "markAsRead": True, "stopProcessingRules": True},
    }
    made = graph.post(root, rule)
    assert (made["sequence"], made["isEnabled"]) == (1, True)
    to = [{"emailAddress": {"address": f"{bob}@sandbox.example"}}]
    graph.post(root, {"displayName": "All", "actions": {"forwardTo": to, "delete": True}})
    message = {"subject": "Your Bill", "from": sender}
    filed = sandbox.mail_message(ada, sandbox.mail_add(ada, "inbox", message))
    assert (filed["parentFolderId"], filed["isRead"]) == (bills, True)
    sandbox.mail_add(ada, "inbox", {"subject": "Other", "from": sender})
    assert sandbox.mail_counts(ada)["deleteditems"] == 1
    assert [m["subject"] for m in sandbox.mail_messages(bob)] == ["FW: Other"]
    graph.ask("PATCH", f"{root}/{made['id']}", json={"isEnabled": False})
    sandbox.mail_add(ada, "inbox", message)
    assert sandbox.mail_counts(ada) | {"deleteditems": 2, "Bills": 1} == sandbox.mail_counts(ada)
    assert len(graph.get(root)["value"]) == 2
    assert graph.ask("DELETE", f"{root}/{made['id']}").status_code == 204
    assert graph.refusal("GET", f"{root}/{made['id']}")[0] == 404
    bad = {"displayName": "x", "actions": {"moveToFolder": "AAMk" + "x" * 40}}
    assert graph.refusal("POST", root, json=bad)[0] == 404


def test_random_changes_reach_a_mailbox_and_a_replica_can_follow(sandbox, ada, graph):
    """By delta, and a look at what left a folder: that is all it takes, whatever happens."""
    for number in range(30):
        sandbox.mail_add(ada, "inbox", {"subject": f"m{number}"})
    copy: dict[str, str] = {}
    links: dict[str, str] = {}

    def look_at(message_ids: list[str]) -> None:
        answers = graph.batch(
            [{"id": name, "method": "GET", "url": f"/me/messages/{name}"} for name in message_ids]
        )
        for message_id, answer in answers.items():
            copy.pop(message_id, None)
            if answer["status"] == 200:
                copy[message_id] = answer["body"]["parentFolderId"]

    def follow() -> None:
        folders = {folder["id"] for folder in sandbox.mail_folders(ada)}
        for folder in sorted(folders):
            path = f"/me/mailFolders/{folder}/messages/delta?$select=id,parentFolderId"
            items, links[folder] = graph.round(links.get(folder, path))
            told = sorted({item["id"] for item in items})
            for start in range(0, len(told), 20):
                look_at(told[start : start + 20])
        for message_id in [key for key, folder in copy.items() if folder not in folders]:
            del copy[message_id]

    follow()
    done = [sandbox.mutate(seed, 120, [ada]) for seed in (1, 2)]
    assert all(sum(turn["by_source"]["microsoft_mail"].values()) > 30 for turn in done)
    follow()
    truth = {
        item_id: stream.partition("/")[2]
        for stream, item_id, _ in sandbox.truth(ada, "microsoft_mail")
        if stream != "folders"
    }
    assert copy == truth
    folders = [
        item for stream, _, item in sandbox.truth(ada, "microsoft_mail") if stream == "folders"
    ]
    assert [folder["wellKnownName"] for folder in folders[:2]] == ["inbox", "drafts"]
    listed = {f["id"]: f for f in graph.round("/me/mailFolders/delta")[0]}
    assert {f["id"]: f["childFolderCount"] for f in folders} == {
        folder_id: folder["childFolderCount"] for folder_id, folder in listed.items()
    }
    (user,) = [user for user in sandbox.users() if user.user == ada]
    assert user.counts["microsoft_mail"] == {"folders": len(folders), "messages": len(truth)}


def test_the_prefer_header_counts_on_every_request(sandbox, ada, graph):
    sandbox.mail_add(ada)
    with_it = graph.get(INBOX)["value"][0]["id"]
    without = graph.get(INBOX, prefer="odata.maxpagesize=3")["value"][0]["id"]
    assert with_it != without
    assert graph.get(INBOX, prefer=f"odata.maxpagesize=3, {IMMUTABLE}")["value"][0]["id"] == with_it
