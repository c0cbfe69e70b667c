"""The Schedules page, and with it what every page and action does."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from browsers import signed_in

from models import AuditLog
from pipeline.jobs import controls
from pipeline.jobs.reading import depth
from pipeline.schedules import schedule_named
from pipeline.stores import collection
from pipeline.ticks import send_tick

HX = {"HX-Request": "true"}


def test_a_schedule_is_told_in_words_with_what_came_of_its_last_tick(stores: None) -> None:
    send_tick(schedule_named("dispatch"), datetime.now(UTC))
    page = signed_in("viewer").get("/admin/schedules").text
    assert "every minute" in page
    assert "CRON_DISPATCH" in page
    assert "waiting" in page
    assert "Next five" in page
    assert "Run now" not in page  # not a viewer's


def test_run_now_sends_one_job_however_often_it_is_clicked(stores: None) -> None:
    client = signed_in("operator")
    first = client.post("/admin/schedules/sweep/run", headers=HX)
    assert first.status_code == 204
    notice = json.loads(first.headers["HX-Trigger"])["notice"]
    assert notice["kind"] == "ok"
    assert "Sent" in notice["text"]
    again = json.loads(client.post("/admin/schedules/sweep/run", headers=HX).headers["HX-Trigger"])
    assert "already" in again["notice"]["text"]
    assert depth("graph").waiting == 1


def test_a_paused_schedule_sends_nothing_until_it_is_resumed(stores: None) -> None:
    client, dispatch = signed_in("operator"), schedule_named("dispatch")
    client.post("/admin/schedules/dispatch/pause", data={"reason": "a move"}, headers=HX)
    assert "Paused by the-operator: a move." in client.get("/admin/schedules").text
    assert not send_tick(dispatch, datetime.now(UTC)).created
    assert depth("data-sync").waiting == 0
    client.post("/admin/schedules/dispatch/resume", headers=HX)
    assert send_tick(dispatch, datetime.now(UTC)).created
    late = client.post("/admin/schedules/dispatch/resume", headers=HX)
    assert late.status_code == 409


def test_every_act_is_in_the_audit_with_what_came_of_it(stores: None) -> None:
    client = signed_in("operator")
    client.post("/admin/schedules/dispatch/pause", data={"reason": "a move"}, headers=HX)
    client.post("/admin/schedules/nightly/run", headers=HX)
    rows = list(collection(AuditLog).find({"action": {"$regex": "^schedule"}}).sort("at", 1))
    told = [(row["actor"], row["action"], row["target"], row["outcome"]) for row in rows]
    assert told == [
        ("the-operator", "schedule.pause", "schedule dispatch", "done"),
        ("the-operator", "schedule.run", "schedule nightly", "refused"),
    ]
    assert rows[0]["details"] == {"reason": "a move"}


def test_a_viewer_may_look_but_not_act(stores: None) -> None:
    client = signed_in("viewer")
    refused = client.post("/admin/schedules/dispatch/pause", headers=HX)
    assert refused.status_code == 403
    assert "operator" in json.loads(refused.headers["HX-Trigger"])["notice"]["text"]
    assert controls.pauses() == []


def test_without_scripts_an_act_leads_back_with_its_notice(stores: None) -> None:
    client = signed_in("operator")
    back = {"Referer": "https://evil.example/admin/schedules"}
    sent = client.post("/admin/schedules/dispatch/run", headers=back)
    assert (sent.status_code, sent.headers["location"]) == (303, "/admin/schedules")
    assert "Sent: job" in client.get("/admin/schedules").text
    assert "Sent: job" not in client.get("/admin/schedules").text


def test_scripts_get_the_part_that_changes_alone(stores: None) -> None:
    part = signed_in("viewer").get("/admin/schedules", headers=HX)
    assert "dispatch" in part.text
    assert "<html" not in part.text


def test_an_address_that_leads_nowhere_says_so(stores: None) -> None:
    response = signed_in("viewer").get("/admin/nowhere")
    assert response.status_code == 404
    assert "There is nothing at this address." in response.text
