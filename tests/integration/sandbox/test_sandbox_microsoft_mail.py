"""Graph's mail, over HTTP: folders, messages, conditional changes, batches."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from graph_client import IMMUTABLE, Graph

BASE = datetime(2026, 11, 2, 9, tzinfo=UTC)


@pytest.fixture
def ada(sandbox, new_user):
    user = new_user(messages=0)
    sandbox.open_mailbox(user, "W. Europe Standard Time")
    return user


@pytest.fixture
def graph(sandbox, ada):
    opened = Graph(sandbox.base_url, sandbox.microsoft_grant(ada)["access_token"])
    yield opened
    opened.close()


def add(sandbox, user, subject, folder="inbox", minutes=0, **fields):
    message = {"subject": subject, **fields}
    return sandbox.mail_add(user, folder, message, BASE + timedelta(minutes=minutes))


def subjects(page):
    return [message["subject"] for message in page["value"]]


def test_a_mailbox_has_its_well_known_folders_and_nested_ones(graph):
    names = [folder["displayName"] for folder in graph.get("/me/mailFolders", top=50)["value"]]
    assert names[:2] == ["Inbox", "Drafts"]
    made = graph.post("/me/mailFolders/inbox/childFolders", {"displayName": "Bills"})
    inbox = graph.get("/me/mailFolders('inbox')")
    assert (made["parentFolderId"], inbox["childFolderCount"]) == (inbox["id"], 1)
    children = graph.get("/me/mailFolders/inbox/childFolders")["value"]
    assert [folder["id"] for folder in children] == [made["id"]]
    named = graph.get("/me/mailFolders/inbox/childFolders", filter="displayName eq 'bills'")
    assert [folder["id"] for folder in named["value"]] == [made["id"]]
    again = graph.refusal(
        "POST", "/me/mailFolders/inbox/childFolders", json={"displayName": "bills"}
    )
    assert again == (409, "ErrorFolderExists")
    page = graph.get("/me/mailFolders", top=3)
    following = graph.get(page["@odata.nextLink"])
    assert [f["displayName"] for f in page["value"] + following["value"]] == names[:6]
    assert graph.ask("DELETE", f"/me/mailFolders/{made['id']}").status_code == 204
    assert graph.refusal("GET", f"/me/mailFolders/{made['id']}") == (404, "ErrorItemNotFound")
    assert graph.refusal("DELETE", "/me/mailFolders/inbox")[0] == 403
    assert graph.refusal("GET", "/me/mailFolders/nowhere") == (400, "ErrorInvalidIdMalformed")


def test_the_settings_name_the_zone_as_windows_or_iana_does(graph):
    assert graph.get("/me/mailboxSettings")["timeZone"] == "W. Europe Standard Time"
    reply = graph.ask("PATCH", "/me/mailboxSettings", json={"timeZone": "Europe/Rome"})
    assert reply.json()["workingHours"]["timeZone"] == {"name": "Europe/Rome"}


def test_messages_come_newest_first_page_by_page_and_filtered(sandbox, ada, graph):
    for number in range(25):
        read = number % 2 == 0
        add(sandbox, ada, f"m{number}", minutes=number, isRead=read, categories=[f"c{number % 5}"])
    add(sandbox, ada, "archived", "archive", minutes=99)
    page = graph.get("/me/mailFolders/inbox/messages", select="subject,isRead")
    assert subjects(page) == [f"m{number}" for number in range(24, 14, -1)]
    assert set(page["value"][0]) == {"@odata.etag", "id", "subject", "isRead"}
    rest = graph.get(page["@odata.nextLink"])
    assert subjects(rest)[0] == "m14"
    assert "@odata.nextLink" not in graph.get(rest["@odata.nextLink"])
    assert subjects(graph.get("/me/messages", top=1)) == ["archived"]
    inbox = "/me/mailFolders/inbox/messages"
    unread = graph.get(inbox, filter="isRead eq false and categories/any(c:c eq 'c3')", top=50)
    assert subjects(unread) == ["m23", "m13", "m3"]
    since = (BASE + timedelta(minutes=23)).isoformat()
    late = graph.get(inbox, filter=f"receivedDateTime ge {since}", orderby="receivedDateTime asc")
    assert subjects(late) == ["m23", "m24"]
    for params, code in (
        ({"$filter": "isRead eq false", "$orderby": "receivedDateTime desc"}, "InefficientFilter"),
        ({"$filter": "body/content eq 'x'"}, "ErrorInvalidUrlQueryFilter"),
        ({"$select": "colour"}, "RequestBroker--ParseUri"),
        ({"$search": "news"}, "ErrorInvalidUrlQuery"),
    ):
        assert graph.refusal("GET", inbox, params=params) == (400, code)


def test_headers_come_only_when_selected(sandbox, ada, graph):
    headers = [{"name": "List-Unsubscribe", "value": "<mailto:stop@news.example>"}]
    content = {"contentType": "html", "content": "<p>Much <b>news</b></p>"}
    message_id = add(sandbox, ada, "News", internetMessageHeaders=headers, body=content)
    path = f"/me/messages/{message_id}"
    assert "internetMessageHeaders" not in graph.get(path)
    assert graph.get(path)["bodyPreview"] == "Much news"
    assert graph.get(path)["body"] == content
    text = graph.get(path, prefer='outlook.body-content-type="text"')["body"]
    assert text == {"contentType": "text", "content": "Much news"}
    assert graph.get(path, select="internetMessageHeaders")["internetMessageHeaders"] == headers


def test_a_change_needs_the_version_that_was_seen(sandbox, ada, graph):
    path = f"/me/messages/{add(sandbox, ada, 'Offer')}"
    seen = graph.get(path)
    flagged = {"flag": {"flagStatus": "flagged"}, "isRead": True, "categories": ["Red"]}
    reply = graph.ask("PATCH", path, json=flagged, headers={"If-Match": seen["@odata.etag"]})
    changed = reply.json()
    assert {name: changed[name] for name in flagged} == flagged
    assert changed["changeKey"] != seen["changeKey"]
    stale = {"headers": {"If-Match": seen["@odata.etag"]}}
    for verb, action, body in (
        ("PATCH", path, {"isRead": False}),
        ("POST", f"{path}/move", {"destinationId": "archive"}),
        ("DELETE", path, None),
    ):
        refused = graph.refusal(verb, action, json=body, **stale)
        assert refused == (412, "ErrorIrresolvableConflict")
    assert graph.refusal("PATCH", path, json={"subject": "x"})[1] == "ErrorInvalidPropertySet"
    assert graph.refusal("PATCH", path, json={"isRead": "yes"})[1] == "RequestBodyRead"
    same = graph.ask("PATCH", path, json=flagged).json()
    assert same["changeKey"] == changed["changeKey"], "what changes nothing is no change"


def test_ids_survive_a_move_only_when_that_is_asked_for(sandbox, ada, graph):
    message_id = add(sandbox, ada, "Bill")
    moved = graph.ask("POST", f"/me/messages/{message_id}/move", json={"destinationId": "archive"})
    assert (moved.status_code, moved.json()["id"]) == (201, message_id)
    assert moved.headers["preference-applied"] == IMMUTABLE
    plain = Graph(sandbox.base_url, graph.session.headers["Authorization"][7:], prefer="")
    old = plain.get(f"/me/messages/{message_id}")["id"]
    assert old != message_id
    new = plain.post(f"/me/messages/{old}/move", {"destinationId": "inbox"})["id"]
    assert new != old
    assert plain.refusal("GET", f"/me/messages/{old}") == (404, "ErrorItemNotFound")
    body = {"inputIds": [new, "gone"], "targetIdType": "restImmutableEntryId"}
    translated = plain.post("/me/translateExchangeIds", body)["value"]
    assert translated == [{"sourceId": new, "targetId": message_id}]
    swapped = message_id.swapcase()
    assert graph.refusal("GET", f"/me/messages/{swapped}")[0] == 404, "ids heed the case"
    plain.close()


def test_a_forward_arrives_with_whoever_has_a_mailbox(sandbox, ada, graph, new_user):
    bob = new_user(messages=0)
    sandbox.open_mailbox(bob)
    message_id = add(sandbox, ada, "Quote")
    to = [{"emailAddress": {"address": f"{bob}@sandbox.example"}}]
    path = f"/me/messages/{message_id}/createForward"
    draft = graph.post(path, {"comment": "See below", "toRecipients": to})
    assert (draft["isDraft"], draft["subject"]) == (True, "FW: Quote")
    assert sandbox.mail_counts(ada)["drafts"] == 1
    assert graph.ask("POST", f"/me/messages/{draft['id']}/send").status_code == 202
    sent = graph.get(f"/me/messages/{draft['id']}", select="isDraft,parentFolderId")
    assert sent["parentFolderId"] == graph.get("/me/mailFolders/sentitems")["id"]
    assert graph.refusal("POST", f"/me/messages/{draft['id']}/send")[0] == 400
    graph.post(f"/me/messages/{message_id}/forward", {"toRecipients": to})
    graph.post("/me/sendMail", {"message": {"subject": "Hi", "toRecipients": to}})
    assert [m["subject"] for m in sandbox.mail_messages(bob, "inbox")] == [
        *("FW: Quote", "FW: Quote", "Hi")
    ]
    assert graph.refusal("POST", f"/me/messages/{message_id}/forward", json={})[0] == 400


def test_a_draft_is_found_by_what_only_programs_see(graph):
    extended = {"id": "String {00020329-0000-0000-C000-000000000046} Name mark", "value": "7'7"}
    draft = graph.post(
        "/me/messages", {"subject": "Draft", "singleValueExtendedProperties": [extended]}
    )
    wanted = (
        f"singleValueExtendedProperties/Any(ep: ep/id eq '{extended['id']}' and ep/value eq '7''7')"
    )
    found = graph.get("/me/messages", filter=wanted)["value"]
    assert [message["id"] for message in found] == [draft["id"]]


def test_a_batch_answers_each_part_and_counts_each(sandbox, ada, graph):
    ids = [add(sandbox, ada, f"m{number}") for number in range(18)]
    sandbox.clear_usage()
    parts = [
        {"id": str(n), "method": "GET", "url": f"/me/messages/{i}?$select=subject"}
        for n, i in enumerate(ids)
    ]
    parts.append({"id": "gone", "method": "GET", "url": f"/me/messages/{ids[0][:-4]}zzzz"})
    parts.append(
        {
            "id": "after",
            "method": "PATCH",
            "url": f"/me/messages/{ids[0]}",
            "body": {"isRead": True},
            "dependsOn": ["gone"],
        }
    )
    answers = graph.batch(parts)
    assert [answers[str(n)]["body"]["subject"] for n in range(18)] == [f"m{n}" for n in range(18)]
    assert (answers["gone"]["status"], answers["after"]["status"]) == (404, 424)
    assert answers["gone"]["body"]["error"]["code"] == "ErrorItemNotFound"
    counted = {(row["method"], row["code"]): row["calls"] for row in sandbox.usage()}
    assert counted[("messages.get", 200)] == 18
    assert counted[("batch", 200)] == 1
    too_many = {"requests": [parts[0] | {"id": str(n)} for n in range(21)]}
    assert graph.refusal("POST", "/$batch", json=too_many) == (400, "BadRequest")


def test_refusals_look_like_graphs(sandbox, ada, graph, new_user):
    reply = graph.ask("GET", "/me/messages/AAkA", headers={"client-request-id": "mine"})
    inner = reply.json()["error"]["innerError"]
    assert inner["client-request-id"] == reply.headers["client-request-id"] == "mine"
    assert inner["request-id"] == reply.headers["request-id"]
    nobody = new_user(messages=0)
    without = Graph(sandbox.base_url, sandbox.microsoft_grant(nobody)["access_token"])
    assert without.refusal("GET", "/me/mailFolders") == (404, "MailboxNotEnabledForRESTAPI")
    assert without.get("/me")["mail"] == f"{nobody}@sandbox.example"
    assert without.refusal("GET", f"/users/{ada}@sandbox.example/messages")[0] == 403
    without.session.headers["Authorization"] = "Bearer nonsense"
    assert without.refusal("GET", "/me") == (401, "InvalidAuthenticationToken")
    without.close()
    assert graph.get(f"/users/{ada}@sandbox.example/messages")["value"] == []
