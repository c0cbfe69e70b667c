"""Delta queries, with the traps that Graph's have."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from graph_client import IMMUTABLE, Graph

BASE = datetime(2026, 11, 2, 9, tzinfo=UTC)
INBOX = "/me/mailFolders/inbox/messages/delta"
ARCHIVE = "/me/mailFolders/archive/messages/delta"


@pytest.fixture
def ada(sandbox, new_user):
    user = new_user(messages=0)
    sandbox.open_mailbox(user)
    told(sandbox, quiet=0, partial=0, replay=0)
    yield user
    told(sandbox, quiet=0.3, partial=0.5, replay=0.1)


@pytest.fixture
def graph(sandbox, ada):
    opened = Graph(sandbox.base_url, sandbox.microsoft_grant(ada)["access_token"])
    yield opened
    opened.close()


def told(sandbox, **shares):
    names = {"quiet": "quiet_move", "partial": "partial_update", "replay": "replay"}
    sandbox.settings(**{f"microsoft_{names[k]}_share": float(v) for k, v in shares.items()})


def add(sandbox, user, subject, minutes=0, folder="inbox"):
    message = {"subject": subject}
    return sandbox.mail_add(user, folder, message, BASE + timedelta(minutes=minutes))


def ids(items):
    return [item["id"] for item in items if "@removed" not in item]


def gone(items):
    return [item["id"] for item in items if "@removed" in item]


def test_a_first_round_lists_all_and_the_next_only_what_changed(sandbox, ada, graph):
    made = [add(sandbox, ada, f"m{number}", number) for number in range(25)]
    page = graph.get(f"{INBOX}?$select=subject,isRead&$orderby=receivedDateTime desc")
    assert ids(page["value"]) == made[:14:-1], "ten at a time, the newest first"
    items, link = graph.round(f"{INBOX}?$select=subject,isRead", size=7)
    assert ids(items) == made[::-1]
    assert set(items[0]) == {"@odata.etag", "id", "subject", "isRead"}
    assert graph.round(link)[0] == []
    new = add(sandbox, ada, "new", 99)
    sandbox.mail_patch(ada, made[3], {"isRead": True})
    sandbox.mail_remove(ada, made[4])
    sandbox.mail_move(ada, made[5], "archive")
    items, following = graph.round(link, size=2)
    assert ids(items) == [new, made[3]]
    assert gone(items) == [made[4], made[5]]
    assert items[1]["isRead"], "a link remembers what was selected"
    assert items[2]["@removed"] == {"reason": "deleted"}
    assert graph.round(link)[0] == items, "a link can be used again"
    assert graph.round(following)[0] == []


def test_an_update_may_carry_only_what_changed(sandbox, ada, graph):
    first = add(sandbox, ada, "m")
    _, link = graph.round(f"{INBOX}?$select=subject,isRead,flag,categories")
    told(sandbox, partial=1)
    sandbox.mail_patch(ada, first, {"isRead": True})
    (item,) = graph.round(link)[0]
    assert {name for name in item if not name.startswith("@")} == {"id", "isRead"}
    sandbox.mail_patch(ada, first, {"flag": {"flagStatus": "flagged"}})
    (item,) = graph.round(link)[0]
    assert {name for name in item if not name.startswith("@")} == {"id", "isRead", "flag"}
    new = add(sandbox, ada, "new")
    sandbox.mail_patch(ada, new, {"isRead": True})
    (item,) = [item for item in graph.round(link)[0] if item["id"] == new]
    assert item["subject"] == "new", "what is new comes whole"


def test_a_move_may_not_be_told_where_it_leads(sandbox, ada, graph):
    message_id = add(sandbox, ada, "m")
    links = [graph.round(url)[1] for url in (INBOX, ARCHIVE)]
    inbox, archive = [graph.round(link)[1] for link in links]
    told(sandbox, quiet=1)
    sandbox.mail_move(ada, message_id, "archive")
    assert gone(graph.round(inbox)[0]) == [message_id]
    assert graph.round(archive)[0] == []
    assert ids(graph.round(links[1])[0]) == [message_id], "what moved during the first round"
    assert ids(graph.round(ARCHIVE)[0]) == [message_id]
    sandbox.mail_move(ada, message_id, "inbox")
    assert gone(graph.round(inbox)[0]) == [message_id], "there and back looks like gone"
    sandbox.mail_patch(ada, message_id, {"isRead": True})
    assert ids(graph.round(inbox)[0]) == [message_id], "until it changes again"


def test_ids_of_what_left_are_those_that_were_asked_for(sandbox, ada, graph):
    message_id = add(sandbox, ada, "m")
    _, link = graph.round(INBOX)
    default = graph.get(f"/me/messages/{message_id}", prefer="odata.maxpagesize=1")["id"]
    assert default != message_id
    sandbox.mail_move(ada, message_id, "archive")
    page = graph.get(link, prefer="odata.maxpagesize=5")
    assert gone(page["value"]) == [default]


def test_items_may_come_twice(sandbox, ada, graph):
    _, link = graph.round(INBOX)
    message_id = add(sandbox, ada, "m")
    told(sandbox, replay=1)
    assert ids(graph.round(link)[0]) == [message_id] * 2


def test_filters_bound_what_is_tracked(sandbox, ada, graph):
    made = [add(sandbox, ada, f"m{number}", number) for number in range(6)]
    since = f"{BASE + timedelta(minutes=3):%Y-%m-%dT%H:%M:%SZ}"
    items, link = graph.round(f"{INBOX}?$filter=receivedDateTime ge {since}")
    assert ids(items) == made[:2:-1]
    sandbox.mail_patch(ada, made[0], {"isRead": True})
    sandbox.mail_patch(ada, made[4], {"isRead": True})
    assert ids(graph.round(link)[0]) == [made[4]]
    assert ids(graph.round(f"{INBOX}?$top=2")[0]) == made[:3:-1], "$top bounds the whole"
    created = graph.round(f"{INBOX}?changeType=created")[1]
    new = add(sandbox, ada, "new")
    sandbox.mail_patch(ada, made[1], {"isRead": True})
    assert ids(graph.round(created)[0]) == [new]
    for query in ("$filter=isRead eq false", "$orderby=subject", "$select=colour", "changeType=x"):
        assert graph.ask("GET", f"{INBOX}?{query}").status_code == 400


def test_links_expire_and_folders_go(sandbox, ada, graph):
    folder = sandbox.mail_folder_add(ada, "Bills")
    path = f"/me/mailFolders/{folder}/messages/delta"
    links = [graph.round(url)[1] for url in (INBOX, path, "/me/mailFolders/delta")]
    sandbox.expire_cursors(ada, "microsoft_mail")
    for link in links:
        assert graph.refusal("GET", link) == (410, "syncStateNotFound")
    assert "/messages/delta?" in graph.ask("GET", links[0]).headers["location"]
    links = [graph.round(url)[1] for url in (INBOX, path)]
    sandbox.mail_folder_remove(ada, folder)
    assert graph.refusal("GET", links[1]) == (404, "ErrorItemNotFound")
    assert graph.refusal("GET", links[0][:-8]) == (400, "syncStateInvalid")
    sandbox.fault("expire_cursor", match={"method": "messages.delta"})
    assert graph.round(INBOX)[0] == [], "a first round uses no link"
    assert graph.refusal("GET", links[0])[0] == 410
    for number in range(3):
        add(sandbox, ada, f"m{number}")
    sandbox.fault("expire_cursor", params={"at": "later_page"})
    page = graph.get(links[0], prefer=f"{IMMUTABLE}, odata.maxpagesize=1")
    assert graph.refusal("GET", page["@odata.nextLink"])[0] == 410


@pytest.mark.parametrize("empty", [False, True])
def test_short_and_empty_pages_still_add_up(sandbox, ada, graph, empty):
    made = [add(sandbox, ada, f"m{number}", number) for number in range(5)]
    sandbox.fault("short_pages", times=None, params={"size": 2, "empty": empty})
    items, link = graph.round(INBOX)
    assert ids(items) == made[::-1]
    for message_id in made:
        sandbox.mail_patch(ada, message_id, {"isRead": True})
    assert ids(graph.round(link)[0]) == made
    folders = graph.round("/me/mailFolders/delta")[0]
    assert len(folders) == 7


def test_folders_have_a_delta_of_their_own(sandbox, ada, graph):
    hidden = sandbox.mail_folder_add(ada, "Secret", hidden=True)
    items, link = graph.round("/me/mailFolders/delta", size=3)
    assert [item["displayName"] for item in items][:2] == ["Inbox", "Drafts"]
    assert hidden not in ids(items)
    assert "totalItemCount" not in items[0]
    assert hidden in ids(graph.round("/me/mailFolders/delta?includeHiddenFolders=true")[0])
    outer = sandbox.mail_folder_add(ada, "Outer")
    inner = sandbox.mail_folder_add(ada, "Inner", outer)
    add(sandbox, ada, "m", folder=outer)
    items, link = graph.round(link)
    assert set(ids(items)) == {outer, inner}
    assert {item["id"]: item["childFolderCount"] for item in items} == {outer: 1, inner: 0}
    sandbox.mail_folder_rename(ada, inner, "Within")
    sandbox.mail_folder_remove(ada, outer)
    items, link = graph.round(link)
    assert (set(ids(items)), set(gone(items))) == (set(), {outer, inner})
    assert graph.round(link)[0] == []
    with_parent = sandbox.mail_folder_add(ada, "Under", "inbox")
    changed = {item["displayName"]: item["childFolderCount"] for item in graph.round(link)[0]}
    assert changed == {"Inbox": 1, "Under": 0}
    assert with_parent


def test_unchanged_folders_can_be_asked_in_one_batch(sandbox, ada, graph):
    links = [
        graph.round(f"/me/mailFolders/{name}/messages/delta")[1]
        for name in ("inbox", "archive", "sentitems")
    ]
    parts = [
        {"id": str(n), "method": "GET", "url": link.removeprefix(graph.root)}
        for n, link in enumerate(links)
    ]
    answers = graph.batch(parts)
    assert [answers[str(n)]["body"]["value"] for n in range(3)] == [[], [], []]
    assert all("@odata.deltaLink" in answer["body"] for answer in answers.values())
