"""`headrace doctor` finds what is wrong with real stores."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from command_line import headrace, nobody

import models
from models import Connection, DeadLetter, EmailDelivery, OutreachDelivery, SenderIdentity
from pipeline import dispatch
from pipeline.clients.keyring import check_keys, new_key
from pipeline.connect import connect_composio
from pipeline.stores import collection, redis_client


def doctor(**environment: str) -> dict[str, Any]:
    """Run it; return code, findings by what they are about, and the settings."""
    result = headrace("doctor", "--json", **environment)
    found = json.loads(result.stdout)
    findings = {finding["about"]: finding for finding in found["findings"]}
    return {"code": result.exit_code, "findings": findings, "settings": found["settings"]}


def wrong(found: dict[str, Any]) -> list[str]:
    return [name for name, finding in found["findings"].items() if finding["level"] == "wrong"]


@pytest.fixture
def healthy(stores: None, sandbox_url: str) -> None:
    """Stores and a sandbox in which nothing is wrong."""


@pytest.fixture
def evicting(healthy: None) -> Iterator[None]:
    """A Redis that drops keys when it is full."""
    redis_client().config_set("maxmemory-policy", "allkeys-lru")
    yield
    redis_client().config_set("maxmemory-policy", "noeviction")


def test_nothing_is_wrong_with_what_up_starts(healthy: None) -> None:
    found = doctor()
    assert wrong(found) == [], found["findings"]
    assert found["code"] == 0
    assert found["findings"]["MongoDB transactions"]["level"] == "ok"


def test_mail_to_users_that_is_not_sent_or_in_doubt_is_told(healthy: None) -> None:
    collection(EmailDelivery).insert_one({"_id": "m1", "status": "unknown", "tenant_id": "acme"})
    found = doctor(EMAIL_FROM="")["findings"]
    assert "EMAIL_FROM is empty" in found["mail to users"]["text"]
    assert "1 mail that may have been sent" in found["mail in doubt"]["text"]
    assert doctor(EMAIL_FROM="us@ours.example")["findings"]["mail to users"]["level"] == "ok"


def test_no_secret_is_shown(healthy: None) -> None:
    shown = {row["variable"]: row["value"] for row in doctor()["settings"]}
    assert shown["ENCRYPTION_KEYS"] == "(set)"
    assert shown["GRAPH_PASSWORD"] in ("(set)", "")


def test_who_could_not_unsubscribe_is_told_before_anything_is_sent(healthy: None) -> None:
    sender = {"tenant_id": "acme", "channel": "email", "status": "verified"}
    collection(SenderIdentity).insert_one(sender | {"_id": "s", "provider": "sendgrid"})
    collection(OutreachDelivery).insert_one({"_id": "d", "status": "failed"})
    empty = {"PUBLIC_BASE_URL": "", "SENDGRID_WEBHOOK_PUBLIC_KEYS": ""}
    found = doctor(**empty)
    assert wrong(found) == ["links in messages", "SendGrid's events"]
    assert "1 request" in found["findings"]["deliveries"]["text"]
    found = doctor(PUBLIC_BASE_URL="http://web.example", SENDGRID_WEBHOOK_PUBLIC_KEYS="k")
    assert found["findings"]["links in messages"]["level"] == "note"
    found = doctor(PUBLIC_BASE_URL="https://web.example", SENDGRID_WEBHOOK_PUBLIC_KEYS="k")
    assert found["findings"]["links in messages"]["level"] == "ok"


def test_a_missing_index_is_found_and_named(healthy: None) -> None:
    collection(Connection).drop_index("user_id_1_provider_1")
    try:
        found = doctor()
    finally:
        models.ensure_indexes()
    assert wrong(found) == ["MongoDB indexes"]
    assert "connections(user_id, provider)" in found["findings"]["MongoDB indexes"]["text"]
    assert found["code"] == 1


def test_a_redis_that_drops_jobs_is_found(evicting: None) -> None:
    found = doctor()
    assert wrong(found) == ["Redis eviction"]
    assert "noeviction" in found["findings"]["Redis eviction"]["mend"]


def test_a_key_that_stored_connections_need_is_missed(healthy: None) -> None:
    check_keys()
    connect_composio("ada", {"gmail": "ca_1"})
    found = doctor(ENCRYPTION_KEYS=new_key())
    assert wrong(found) == ["encryption keys"]


def test_jobs_that_no_worker_serves_are_found(healthy: None) -> None:
    dispatch.send("sweep")
    found = doctor()
    assert wrong(found) == ["queue graph"]
    assert found["findings"]["queue graph"]["mend"] == "start one: dramatiq actors -Q graph"


def test_dead_letters_are_mentioned(healthy: None) -> None:
    letter = {"_id": "m1", "job_id": "j1", "queue": "graph", "status": "open"}
    collection(DeadLetter).insert_one(letter)
    found = doctor()
    assert (found["code"], found["findings"]["queue graph"]["level"]) == (0, "note")


def test_a_misspelt_setting_is_found(healthy: None) -> None:
    found = doctor(LEASE_SECOND="20")
    assert wrong(found) == ["LEASE_SECOND"]
    assert "LEASE_SECONDS" in found["findings"]["LEASE_SECOND"]["mend"]


def test_a_wrong_cron_is_found(healthy: None) -> None:
    assert wrong(doctor(CRON_SWEEP="often"))[0].startswith("CRON_SWEEP='often'")


def test_a_wrong_setting_is_found_and_nothing_else_is_looked_at() -> None:
    found = doctor(LEASE_SECONDS="0")
    assert wrong(found) == ["LEASE_SECONDS='0'"]


def test_stores_that_are_down_are_all_named_with_their_mending(healthy: None) -> None:
    found = doctor(
        REDIS_URL=nobody("redis"),
        MONGODB_URI=f"{nobody('mongodb')}/headrace",
        GRAPH_URI=nobody("bolt"),
        GOOGLE_API_BASE_URL=nobody("http"),
    )
    assert wrong(found) == ["MongoDB", "Redis", "graph", "Google APIs"]
    assert all(found["findings"][name]["mend"] for name in wrong(found))


def test_another_program_on_the_port_of_the_metrics_is_found(
    healthy: None, sandbox_url: str
) -> None:
    port = sandbox_url.rpartition(":")[2]
    assert wrong(doctor(WORKER_METRICS_PORT=port)) == ["worker metrics"]
