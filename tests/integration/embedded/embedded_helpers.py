"""What several of these tests use to look at servers and processes."""

from __future__ import annotations

import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from neo4j import GraphDatabase
from pymongo import MongoClient
from redis import Redis


class Stores:
    """Writes one note to each store that is in `settings`, and reads it back."""

    def __init__(self, settings: dict[str, str]) -> None:
        self._settings = settings

    def write(self, note: str) -> None:
        if "REDIS_URL" in self._settings:
            with self.redis() as redis:
                assert redis.set("note", note)
        if "MONGODB_URI" in self._settings:
            with self.mongodb() as client:
                note_of = {"$set": {"note": note}}
                client.get_default_database().notes.update_one({"_id": 1}, note_of, upsert=True)
        if "GRAPH_URI" in self._settings:
            self.cypher("MERGE (n:Note {id: 1}) SET n.note = $note", note=note)

    def read(self) -> set[str | None]:
        """Return what the stores hold: one element if they agree."""
        notes: set[str | None] = set()
        if "REDIS_URL" in self._settings:
            with self.redis() as redis:
                notes.add(redis.get("note"))
        if "MONGODB_URI" in self._settings:
            with self.mongodb() as client:
                notes.add((client.get_default_database().notes.find_one() or {}).get("note"))
        if "GRAPH_URI" in self._settings:
            rows = self.cypher("OPTIONAL MATCH (n:Note {id: 1}) RETURN n.note AS note")
            notes.add(rows[0]["note"])
        return notes

    def redis(self) -> Redis:
        return Redis.from_url(self._settings["REDIS_URL"], decode_responses=True)

    def mongodb(self) -> MongoClient[dict[str, Any]]:
        return MongoClient(self._settings["MONGODB_URI"], serverSelectionTimeoutMS=5000)

    def cypher(self, query: str, **parameters: Any) -> list[dict[str, Any]]:
        auth = (self._settings["GRAPH_USER"], self._settings["GRAPH_PASSWORD"])
        with GraphDatabase.driver(self._settings["GRAPH_URI"], auth=auth) as driver:
            database = self._settings["GRAPH_DATABASE"]
            result = driver.execute_query(query, database_=database, **parameters)
            return [record.data() for record in result.records]


def processes_of(folder: Path) -> list[str]:
    """Return the command lines of living processes that name `folder`."""
    found = []
    for process in psutil.process_iter():
        try:
            line = " ".join(process.cmdline())
            if str(folder) in line and process.status() != psutil.STATUS_ZOMBIE:
                found.append(line)
        except psutil.Error:
            continue
    return found


def until(condition: Callable[[], bool], *, within_seconds: float = 10) -> None:
    """Return as soon as `condition` holds; fail if it does not in time."""
    deadline = time.monotonic() + within_seconds
    while not condition():
        assert time.monotonic() < deadline, f"not so after {within_seconds} s"
        time.sleep(0.01)


def is_gone(pid: int) -> bool:
    """Return whether no process of that id lives, zombies not counted."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


class HangUp(socketserver.BaseRequestHandler):
    """Ends each connection at once."""


@contextmanager
def listening_on(port: int) -> Iterator[None]:
    """Be a stranger that listens on a port of the loopback address."""
    with socketserver.TCPServer(("127.0.0.1", port), HangUp) as stranger:
        thread = threading.Thread(target=stranger.serve_forever, args=(0.01,))
        thread.start()
        yield
        stranger.shutdown()
        thread.join()
