"""What clients and operators may rely on while the embedded servers run."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import psutil
import pytest
from embedded_helpers import Stores, is_gone
from neo4j import GraphDatabase
from neo4j.exceptions import AuthError

from pipeline import embedded
from pipeline.embedded.ports import LOOPBACK, listening_ports
from pipeline.errors import Misconfigured


def test_the_settings_lead_to_three_servers_that_answer(running: embedded.Running) -> None:
    stores = Stores(running.settings)
    stores.write("hello")
    assert stores.read() == {"hello"}


def test_the_mongodb_setting_names_the_database_and_waits_for_a_majority(
    running: embedded.Running,
) -> None:
    with Stores(running.settings).mongodb() as client:
        database = client.get_default_database()
        assert database.name == "headrace"
        assert database.write_concern.document == {"w": "majority"}
        assert database.command("ping")["ok"]
        assert client.topology_description.topology_type_name == "ReplicaSetWithPrimary"


def test_redis_appends_every_change_and_never_evicts(running: embedded.Running) -> None:
    with Stores(running.settings).redis() as redis:
        assert redis.config_get("append*")["appendonly"] == "yes"
        assert redis.config_get("appendfsync") == {"appendfsync": "everysec"}
        assert redis.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert redis.config_get("save") == {"save": ""}


def test_an_aborted_transaction_leaves_nothing(running: embedded.Running) -> None:
    with Stores(running.settings).mongodb() as client, client.start_session() as session:
        notes = client.get_default_database().transactions
        session.with_transaction(lambda own: notes.insert_one({"_id": "kept"}, session=own))
        with session.start_transaction():
            notes.insert_one({"_id": "dropped"}, session=session)
            session.abort_transaction()
        assert [note["_id"] for note in notes.find()] == ["kept"]


def test_the_graph_refuses_a_wrong_password(running: embedded.Running) -> None:
    settings = running.settings
    auth = (settings["GRAPH_USER"], "a wrong password")
    with GraphDatabase.driver(settings["GRAPH_URI"], auth=auth) as driver, pytest.raises(AuthError):
        driver.execute_query("RETURN 1", database_=settings["GRAPH_DATABASE"])


def test_the_password_of_the_graph_is_in_no_command_line_and_in_a_private_file(
    running: embedded.Running, running_dir: Path
) -> None:
    password = running.settings["GRAPH_PASSWORD"]
    assert len(password) >= 24
    assert not any(password in part for part in psutil.Process(running.pid("graph")).cmdline())
    file = running_dir / "graph" / "root.pw"
    assert file.read_text() == password
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("name", embedded.ALL)
def test_a_server_listens_on_the_loopback_address_only(
    running: embedded.Running, name: str
) -> None:
    process = psutil.Process(running.pid(name))
    addresses = {
        connection.laddr.ip
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN or connection.type.name == "SOCK_DGRAM"
    }
    assert {address.removeprefix("::ffff:") for address in addresses} == {LOOPBACK}
    assert running.ports.remembered(name) in listening_ports(process)


@pytest.mark.parametrize("name", embedded.ALL)
def test_ctrl_c_in_a_terminal_does_not_reach_a_server(running: embedded.Running, name: str) -> None:
    assert os.getsid(running.pid(name)) == running.pid(name) != os.getsid(0)


@pytest.mark.parametrize("name", ["graph", "mongodb"])
def test_a_server_does_not_see_our_environment(running: embedded.Running, name: str) -> None:
    seen = set(psutil.Process(running.pid(name)).environ())
    assert "PATH" in seen
    harmless = {"HOME", "LC_ALL", "LC_CTYPE", "LD_LIBRARY_PATH", "PATH", "TMPDIR", "TZ", "USER"}
    assert seen <= harmless


@pytest.mark.parametrize("name", embedded.ALL)
def test_a_server_works_in_its_own_folder_and_puts_nothing_beside_us(
    running: embedded.Running, running_dir: Path, name: str
) -> None:
    assert psutil.Process(running.pid(name)).cwd() == str(running_dir / name)


def test_a_second_start_adopts_what_runs_and_leaves_it_running(
    running: embedded.Running, running_dir: Path
) -> None:
    with embedded.start(running_dir) as second:
        assert sorted(second.adopted) == sorted(embedded.ALL)
        assert second.settings == running.settings
        assert [second.pid(name) for name in embedded.ALL] == [
            running.pid(name) for name in embedded.ALL
        ]
    assert running.exited() == []


def test_what_was_adopted_stops_when_asked(fresh_dir: Path) -> None:
    with embedded.start(fresh_dir, ("redis",)) as first:
        second = embedded.start(fresh_dir, ("redis",))
        assert second.stop(adopted=True) == []
        assert is_gone(first.pid("redis"))
        assert first.exited() == ["redis"]


def test_only_the_servers_that_were_asked_for_start(fresh_dir: Path) -> None:
    told: list[tuple[str, str]] = []
    with embedded.start(
        fresh_dir, ("redis",), on_event=lambda name, text: told.append((name, text))
    ) as running:
        assert list(running.settings) == ["REDIS_URL"]
        assert not (fresh_dir / "graph").exists()
    assert [name for name, _ in told] == ["redis"]
    assert told[0][1].startswith(f"started on port {running.ports.remembered('redis')}, pid ")


def test_a_listener_that_fails_leaves_no_server_running(fresh_dir: Path) -> None:
    def fail(_name: str, text: str) -> None:
        raise BrokenPipeError(text)

    with pytest.raises(BrokenPipeError, match="started on port"):
        embedded.start(fresh_dir, ("redis",), on_event=fail)


def test_a_server_that_does_not_exist_is_refused_by_name(fresh_dir: Path) -> None:
    with pytest.raises(Misconfigured, match="'postgres'"):
        embedded.start(fresh_dir, ("redis", "postgres"))
