"""Transactions of outreach: all or nothing, on one state of the store.

Two transactions that only read an enrollment, each deciding by what the other is about to write,
would both be let through.  So whoever decides anything by an enrollment writes to it too: `touch`
counts up its `looks`.  Two at once are then in each other's way, and MongoDB has the later one
begin again and see what the first has done.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from pymongo.client_session import ClientSession
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from pipeline.stores import Row, mongodb

T = TypeVar("T")

#: The part of an update of an enrollment that keeps others from deciding by it meanwhile.
TOUCH: Row = {"$inc": {"looks": 1}}


def transaction(work: Callable[[ClientSession], T]) -> T:
    """Do `work` all or not at all.  It may be repeated: it changes nothing but the store."""
    with mongodb().client.start_session() as session:
        return session.with_transaction(
            work, read_concern=ReadConcern("snapshot"), write_concern=WriteConcern("majority")
        )
