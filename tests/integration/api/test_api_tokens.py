"""Who may use the API: tokens, their scopes, their end, and their pace."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from api_client import anybody, caller, holder, new_token
from prometheus_client import REGISTRY
from typer.testing import CliRunner, Result

from models import ApiToken, AuditLog
from pipeline import api_tokens
from pipeline.cli.main import app
from pipeline.errors import Permanent
from pipeline.stores import collection, redis_client
from pipeline.web.api import callers

pytestmark = pytest.mark.usefixtures("stores")

Setting = Callable[..., None]


def command(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["tokens", *arguments])


def document(*arguments: str) -> Any:
    return json.loads(command(*arguments, "--json").stdout)


def refusals(reason: str) -> float:
    return REGISTRY.get_sample_value("headrace_api_refusals_total", {"reason": reason}) or 0.0


def test_a_token_is_printed_once_and_kept_as_a_hash() -> None:
    result = command("create", "billing", "--scopes", "users:read,jobs:read", "--as", "ada")
    token = result.stdout.strip()
    assert re.fullmatch(r"hr_[A-Za-z0-9_-]{43}", token)
    row = collection(ApiToken).find_one({"name": "billing"})
    assert row is not None
    assert token not in str(row)
    assert (row["created_by"], row["scopes"]) == ("ada", ["users:read", "jobs:read"])
    assert token not in command("list").stdout
    assert holder(token).get("status").status_code == 200
    [audit] = collection(AuditLog).find({"action": "token.create"})
    assert (audit["actor"], audit["target"], audit["origin"]) == ("ada", "token billing", "cli")
    assert token not in str(audit)


def test_tokens_are_listed_with_their_last_use_and_what_became_of_them() -> None:
    token = document("create", "one", "--scopes", "jobs:read", "--days", "90")["token"]
    command("create", "two", "--scopes", "users:read", "--tenant", "acme")
    holder(token).get("jobs")
    command("revoke", "two", "--as", "ada")
    two, one = document("list")["tokens"]
    assert one["last_used_at"]
    assert (two["tenant_id"], two["revoked_by"]) == ("acme", "ada")
    shown = command("list").stdout
    for part in ("revoked", "for 90 d", "jobs:read", "acme"):
        assert part in shown


def test_without_tokens_the_list_says_how_to_make_one() -> None:
    assert "headrace tokens create" in command("list").stderr


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["create", "x", "--scopes", "user:read"], "did you mean 'users:read'?"),
        (["revoke", "biling"], "there is no token 'biling'; did you mean 'billing'?"),
    ],
)
def test_wrong_use_ends_with_a_hint(arguments: list[str], hint: str) -> None:
    command("create", "billing", "--scopes", "users:read")
    result = command(*arguments)
    assert (result.exit_code, hint in result.stderr) == (2, True)


def test_the_help_names_every_scope() -> None:
    shown = " ".join(command("create", "--help").output.split())
    assert all(scope.partition(":")[0] in shown for scope in api_tokens.SCOPES)


@pytest.mark.parametrize("name", ["", "a b", "Ada", "x" * 65, "a\nb"])
def test_a_name_that_would_not_be_one_word_in_the_audit_is_refused(name: str) -> None:
    with pytest.raises(Permanent, match="cannot name a token"):
        api_tokens.create(name, ["users:read"], by="ada")


def test_a_name_is_never_used_again() -> None:
    api_tokens.create("once", ["users:read"], by="ada")
    assert api_tokens.revoke("once", by="ada")
    assert not api_tokens.revoke("once", by="ada")
    with pytest.raises(Permanent, match="names are not used again"):
        api_tokens.create("once", ["users:read"], by="ada")


@pytest.mark.parametrize("scopes", [[], ["users:delete"]])
def test_a_token_has_scopes_that_there_are(scopes: list[str]) -> None:
    with pytest.raises(Permanent, match="expected some of users:read"):
        api_tokens.create("none", scopes, by="ada")


def test_a_tenant_without_a_name_is_no_way_to_all_users() -> None:
    with pytest.raises(Permanent, match="a tenant has a name"):
        api_tokens.create("none", ["users:read"], by="ada", tenant_id=" ")


@pytest.mark.parametrize(
    ("authorization", "detail"),
    [
        ("", "send the header"),
        ("Basic YWRhOmFkYQ==", "is not `Bearer"),
        ("Bearer", "is not `Bearer"),
        ("Bearer hr_nobody", "there is no such token"),
        ("Bearer \udce9", "there is no such token"),
    ],
)
@pytest.mark.parametrize("path", ["status", "users", "jobs/x", "nothing", "users/x/y/z"])
def test_without_a_good_token_there_is_nothing_to_be_had(
    authorization: str, detail: str, path: str
) -> None:
    headers = {"Authorization": authorization.encode("utf-8", "surrogateescape")}
    answer = anybody().get(path, headers=headers if authorization else None)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert detail in problem["detail"]
    assert (problem["status"], problem["title"]) == (401, "A valid token is needed")


def test_the_document_is_for_everybody() -> None:
    answer = anybody().get("openapi.json")
    assert (answer.status_code, answer.json()["openapi"]) == (200, "3.1.0")


def test_bad_tokens_are_counted() -> None:
    before = refusals("unknown")
    holder("hr_nobody").get("status")
    assert refusals("unknown") == before + 1


def test_a_missing_scope_is_named() -> None:
    answer = caller("jobs:read").get("dead-letters")
    assert answer.status_code == 403
    assert "lacks the scope dead_letters:read" in answer.json()["detail"]
    assert 'scope="dead_letters:read"' in answer.headers["www-authenticate"]


def test_every_operation_needs_a_scope() -> None:
    described = anybody().get("openapi.json").json()["paths"]
    needed = {
        f"{method} {path}": operation["security"][0]["token"]
        for path, methods in described.items()
        for method, operation in methods.items()
    }
    assert all(needed.values())
    for name, scopes in needed.items():
        wanted = "read" if name.startswith("get") else "write"
        assert all(scope.endswith(wanted) for scope in scopes), name


def test_a_revoked_token_is_refused_within_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    assert callers.KNOWN_SECONDS <= 5
    monkeypatch.setattr(callers, "KNOWN_SECONDS", 0.0)
    made = api_tokens.create("short", ["jobs:read"], by="ada")
    client = holder(made.secret)
    assert client.get("jobs").status_code == 200
    api_tokens.revoke("short", by="ada")
    answer = client.get("jobs")
    assert (answer.status_code, "is revoked" in answer.json()["detail"]) == (401, True)


def test_a_token_that_has_expired_is_refused_at_once() -> None:
    token = new_token("jobs:read", days=1)
    client = holder(token)
    assert client.get("jobs").status_code == 200
    digest = api_tokens.digest(token)
    until, row = callers.sign_in()._known[digest]
    callers.sign_in()._known[digest] = until, row | {"expires_at": datetime.now(UTC)}
    answer = client.get("jobs")
    assert (answer.status_code, "is expired" in answer.json()["detail"]) == (401, True)


def test_the_last_use_is_written_at_most_each_minute() -> None:
    made = api_tokens.create("busy", ["jobs:read"], by="ada")
    now = datetime.now(UTC)

    def used(after_seconds: float) -> float:
        row = collection(ApiToken).find_one({"name": "busy"})
        assert row is not None
        api_tokens.note_use(row, now + timedelta(seconds=after_seconds))
        api_tokens.note_use(made.row, now + timedelta(seconds=after_seconds))
        after = collection(ApiToken).find_one({"name": "busy"})
        assert after is not None
        return round((after["last_used_at"] - now).total_seconds())

    assert [used(0), used(59), used(61)] == [0, 0, 61]


def test_a_token_may_make_so_many_requests_a_minute(setting: Setting) -> None:
    setting(API_REQUESTS_PER_MINUTE=3)
    client, other = caller(), caller()
    answers = [client.get("jobs").status_code for _ in range(4)]
    assert answers == [200, 200, 200, 429]
    refused = client.get("jobs")
    assert 1 <= int(refused.headers["retry-after"]) <= 63
    assert "3 requests a minute" in refused.json()["detail"]
    assert other.get("jobs").status_code == 200


def test_while_redis_cannot_count_requests_are_served(monkeypatch: pytest.MonkeyPatch) -> None:
    from redis.exceptions import ConnectionError as NoRedis

    def broken(*_: object) -> float:
        raise NoRedis

    monkeypatch.setattr("pipeline.limits.requests.take", broken)
    monkeypatch.setattr(callers.sign_in(), "_redis_asked_after", 0.0)
    assert caller("dead_letters:read").get("dead-letters").status_code == 200
    callers.sign_in()._redis_asked_after = 0.0


def test_what_is_counted_goes_away_by_itself() -> None:
    caller().get("jobs")
    keys = list(redis_client().scan_iter("headrace:requests:*"))
    assert keys
    assert all(0 < int(redis_client().pttl(key)) < 70_000 for key in keys)
