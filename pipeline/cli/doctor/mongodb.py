"""MongoDB: version, transactions, clock, indexes and the keys of stored credentials."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from pymongo.errors import PyMongoError

import models
from models import Connection
from pipeline.cli.doctor.findings import Finding, note, ok, wrong
from pipeline.clients.keyring import Keyring, check_keys, used_key_ids
from pipeline.dead_letters import open_by_queue
from pipeline.errors import Misconfigured
from pipeline.probes import mongodb_problem
from pipeline.stores import collection, mongodb

OLDEST_VERSION = (6, 0)
#: Due times are compared with the clocks of workers, leases with that of MongoDB.
MOST_SKEW_SECONDS = 5.0
_OF_EVERY_COLLECTION = [("_id", 1)]


def check() -> Iterator[Finding]:
    """Yield what there is to say about MongoDB."""
    if problem := mongodb_problem():
        mend = "start it, or correct MONGODB_URI; `headrace up` brings one along"
        yield wrong("MongoDB", problem, mend)
        return
    try:
        yield _version()
        yield _transactions()
        yield _clock()
        yield _indexes()
        yield _keys()
        yield from _dead_letters()
    except PyMongoError as error:
        yield wrong("MongoDB", f"refuses a query: {type(error).__name__}", "look into its log")


def _dead_letters() -> Iterator[Finding]:
    for queue, letters in open_by_queue().items():
        mend = "see why with `headrace dead-letters list`; then replay or dismiss them"
        yield note(f"queue {queue}", f"{letters} jobs failed for good and wait for a person", mend)


def _version() -> Finding:
    version = str(mongodb().client.server_info()["version"])
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST_VERSION:
        return wrong("MongoDB", f"is version {version}", "install version 6 or later")
    return ok("MongoDB", f"answers, version {version}, database {mongodb().name!r}")


def _transactions() -> Finding:
    hello: dict[str, Any] = mongodb().client.admin.command("hello")
    if "setName" not in hello and hello.get("msg") != "isdbgrid":
        return wrong(
            "MongoDB transactions",
            "it is a single server, which has none",
            "make it a replica set, even of one: start it with --replSet rs0, then rs.initiate()",
        )
    # A real one, since a user may lack the right to write; it is aborted, and leaves nothing.
    with mongodb().client.start_session() as session, session.start_transaction():
        collection(Connection).insert_one({"user_id": "", "provider": ""}, session=session)
        session.abort_transaction()
    return ok("MongoDB transactions", "a transaction begins, writes and aborts")


def _clock() -> Finding:
    before = datetime.now(UTC)
    theirs: datetime = mongodb().client.admin.command("hello")["localTime"]
    ours = before + (datetime.now(UTC) - before) / 2
    # Without `tz_aware` for this command, what comes back is UTC all the same.
    skew_seconds = abs((theirs.replace(tzinfo=theirs.tzinfo or UTC) - ours).total_seconds())
    if skew_seconds > MOST_SKEW_SECONDS:
        return wrong(
            "clocks",
            f"this machine and MongoDB are {skew_seconds:.0f} s apart",
            "synchronise both with NTP (timedatectl set-ntp true)",
        )
    return ok("clocks", f"this machine and MongoDB are {skew_seconds:.2f} s apart")


def _indexes() -> Finding:
    missing = [
        f"{model._meta['collection']}({', '.join(name for name, _ in index)})"
        for model in models.ALL
        for index in model.compare_indexes()["missing"]
        if index != _OF_EVERY_COLLECTION  # said to be missing of one without a row
    ]
    if missing:
        return wrong(
            "MongoDB indexes",
            f"missing: {', '.join(missing)}",
            "start a worker or `headrace up`: each creates what is missing",
        )
    return ok("MongoDB indexes", "all there")


def _keys() -> Finding:
    try:
        check_keys()
    except Misconfigured as error:
        mend = "set ENCRYPTION_KEYS to all keys that were ever used, the newest first"
        return wrong("encryption keys", str(error), mend)
    ids = Keyring.from_settings().key_ids
    if idle := sorted(set(ids) - used_key_ids() - {ids[0]}):
        names = ", ".join(idle)
        return note("encryption keys", f"fit; {names}: used by nothing any more")
    return ok("encryption keys", f"fit all that is stored; {ids[0]} encrypts")
