"""The audit: a row before every act, what came of it, and finding rows again."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from browsers import signed_in
from pymongo import MongoClient

from models import AuditLog
from pipeline import audit
from pipeline.audit import audited, entries, record
from pipeline.errors import Gone, LeaseLost, Permanent, RateLimited, Transient
from pipeline.stores import collection

Setting = Callable[..., None]


def rows() -> list[dict[str, Any]]:
    return list(collection(AuditLog).find().sort("_id", 1))


def test_the_row_is_there_before_the_act_and_tells_afterwards_what_came_of_it(
    stores: None,
) -> None:
    with audited("ada", "queue.pause", "queue graph", role="operator", reason="move") as entry:
        [before] = rows()
        assert (before["outcome"], before["ended_at"]) == ("started", None)
        entry.details["jobs"] = 7
    [after] = rows()
    assert after["outcome"] == "done"
    assert after["details"] == {"reason": "move", "jobs": 7}
    assert (after["actor"], after["role"], after["origin"]) == ("ada", "operator", "web")
    assert (after["action"], after["target"]) == ("queue.pause", "queue graph")
    assert after["ended_at"] >= after["at"]
    assert after["correlation_id"] == entry.correlation_id


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (Permanent("no"), "refused"),
        (Gone("no"), "refused"),
        (RateLimited("no", retry_after_seconds=1), "refused"),
        (Transient("down"), "failed"),
        (LeaseLost("other"), "failed"),
        (RuntimeError("secret of ada@example.com"), "failed"),
        (KeyboardInterrupt(), "failed"),
    ],
)
def test_an_error_is_noted_by_its_class_and_passes_through(
    stores: None, error: BaseException, outcome: str
) -> None:
    with pytest.raises(type(error)), audited("ada", "job.cancel", "job 1"):
        raise error
    [row] = rows()
    assert (row["outcome"], row["error"]) == (outcome, type(error).__name__)
    assert "secret" not in str(row)


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch, stores: None) -> Any:
    """A call after which MongoDB does not answer."""
    client = MongoClient[dict[str, Any]](
        "mongodb://127.0.0.1:1/headrace", serverSelectionTimeoutMS=50, connect=False
    )
    monkeypatch.setattr(audit, "_PATIENCE_SECONDS", 0.1)
    yield lambda: monkeypatch.setattr("pipeline.stores.mongodb", client.get_default_database)
    client.close()


def test_nothing_is_done_that_cannot_be_written_down(nowhere: Any) -> None:
    nowhere()
    done = []
    with pytest.raises(Transient, match="nothing was done"), audited("ada", "user.erase", "user 1"):
        done.append(1)
    assert not done


def test_an_act_whose_end_cannot_be_written_counts_as_done_and_its_row_stays_open(
    nowhere: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with audited("ada", "queue.pause", "queue graph"):
        nowhere()
    monkeypatch.undo()
    assert [row["outcome"] for row in rows()] == ["started"]
    assert "audit row left open" in caplog.text


def test_what_is_over_and_cannot_be_written_is_in_the_log(
    nowhere: Any, caplog: pytest.LogCaptureFixture
) -> None:
    assert record("ada", "session.sign_in", outcome="refused", method="password")
    assert rows()[0]["outcome"] == "refused"
    nowhere()
    with caplog.at_level(logging.ERROR):
        assert not record("ada", "session.sign_in")
    assert "audit row lost" in caplog.text


def test_details_are_scalars_of_bounded_length(stores: None) -> None:
    record("ada", "x.y", number=1, truth=True, nothing=None, text="x" * 900, some=["a", "b"])
    assert rows()[0]["details"] == {
        "number": 1, "truth": True, "nothing": None, "text": "x" * 500, "some": "['a', 'b']",
    }  # fmt: skip


def test_rows_are_kept_as_long_as_the_setting_says(stores: None, setting: Setting) -> None:
    setting(AUDIT_RETENTION_DAYS=2)
    record("ada", "x.y")
    [row] = rows()
    assert row["expires_at"] - row["at"] == timedelta(days=2)
    indexes = collection(AuditLog).index_information()
    assert any(index.get("expireAfterSeconds") == 0 for index in indexes.values())


def test_rows_are_found_by_what_they_say_newest_first(stores: None) -> None:
    for number in range(6):
        record(("ada", "bob")[number % 2], ("a.b", "c.d")[number % 3 == 0], f"job {number}")
    assert [entry.target for entry in entries()] == [f"job {n}" for n in (5, 4, 3, 2, 1, 0)]
    assert [entry.target for entry in entries(actor="bob")] == ["job 5", "job 3", "job 1"]
    assert [entry.target for entry in entries(actor="bob", action="c.d")] == ["job 3"]
    assert [entry.actor for entry in entries(target="job 4")] == ["ada"]
    assert entries(outcome="failed") == []
    assert audit.known("actor") == ["ada", "bob"]


def test_pages_of_rows_miss_none_and_repeat_none_also_of_one_moment(stores: None) -> None:
    for number in range(7):
        record("ada", "a.b", f"job {number}")
    same = datetime(2026, 5, 1, 12, 0, 0, 123_000, tzinfo=UTC)
    collection(AuditLog).update_many({}, {"$set": {"at": same}})
    found: list[str] = []
    cursor = ""
    while page := entries(3, before=cursor):
        found += [entry.target for entry in page]
        cursor = page[-1].cursor
    assert sorted(found) == [f"job {n}" for n in range(7)]


@pytest.mark.parametrize("cursor", ["x", "1-x", "99999999999999999999-0" * 3, "-", "1e9-"])
def test_a_cursor_that_is_none_is_refused(stores: None, cursor: str) -> None:
    with pytest.raises(ValueError, match="not a place in the audit"):
        entries(before=cursor)


def test_every_filter_of_the_audit_reads_an_index(stores: None) -> None:
    record("ada", "a.b", "job 1")
    for name in ("actor", "action", "target", "outcome"):
        plan = (
            collection(AuditLog).find({name: "ada"}).sort([("at", -1), ("_id", -1)]).limit(5)
        ).explain()["queryPlanner"]["winningPlan"]
        assert "IXSCAN" in str(plan)
        assert "COLLSCAN" not in str(plan)
        assert "'stage': 'SORT'" not in str(plan)


def test_the_page_shows_acts_filters_them_by_the_url_and_pages_through_them(stores: None) -> None:
    for number in range(60):
        record("ada", "queue.pause", f"queue graph{number}", reason="<script>")
    record("bob", "job.cancel", "job 1/2", outcome="refused")
    client = signed_in("viewer")
    page = client.get("/admin/audit").text
    assert "queue graph59" in page
    assert "queue graph5<" not in page
    assert "&lt;script&gt;" in page
    assert "<script>" not in page.partition("<main")[2]
    following = page.partition('rel="next"')[0].rpartition('href="')[2].partition('"')[0]
    assert "queue graph5<" in client.get(following.replace("&amp;", "&")).text
    narrowed = client.get("/admin/audit?actor=bob&outcome=refused").text
    assert "job 1/2" in narrowed
    assert "queue graph" not in narrowed.partition("<table")[2]
    assert "Nothing matches" in client.get("/admin/audit?actor=nobody").text
    assert client.get("/admin/audit?before=x").status_code == 404
    assert client.get("/admin/audit?outcome=x").status_code == 404


def test_an_act_that_never_ended_is_said_to_be_unknown(stores: None) -> None:
    record("ada", "user.erase", "user 1", outcome="started")
    assert "not known" not in signed_in("viewer").get("/admin/audit").text
    long_ago = datetime.now(UTC) - timedelta(hours=1)
    collection(AuditLog).update_many({}, {"$set": {"at": long_ago}})
    assert "not known" in signed_in("viewer").get("/admin/audit").text


def test_an_empty_audit_says_what_will_be_there(stores: None) -> None:
    assert "Nobody has done anything yet" in signed_in("viewer").get("/admin/audit").text
