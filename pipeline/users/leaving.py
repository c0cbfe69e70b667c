"""Users who leave: accounts are disconnected, and users erased, also if the process dies.

What is intended is written down first, and every step may be repeated.  So it may
be done here and now, or by a job; what nobody has finished, `queue_unfinished`
finds again, at every tick of the dispatcher.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from bson import ObjectId
from redis.exceptions import RedisError

from models import Connection, Erasure
from pipeline import disconnecting, dispatch, push
from pipeline.disconnecting import Disconnected
from pipeline.errors import Gone
from pipeline.jobs.sending import Send
from pipeline.mailbox import clearing
from pipeline.stores import Row, collection
from pipeline.users.errors import Unknown

log = logging.getLogger(__name__)

#: Connections and erasures that one tick takes up.
_BATCH = 500
#: An ended connection keeps its credentials until the provider was told.
_NOT_REVOKED: Row = {"status": "disconnected", "credentials": {"$exists": True}}


def disconnect(user_id: str, provider: str, by: str) -> Disconnected:
    """End a connection here and now: syncs and pushes stop, the grant is revoked.

    The copy stays.  Raises Unknown if there is no connection, Transient if the
    provider does not answer: the syncs have stopped by then, and the rest follows
    by itself.
    """
    log.info("disconnecting", extra={"provider": provider, "by": by})
    try:
        return disconnecting.disconnect(user_id, provider, before_revoking=take_down)
    except Gone as error:
        raise Unknown(str(error)) from None


def begin_disconnect(user_id: str, provider: str, by: str) -> str:
    """Stop every sync of a connection now and have the rest done by a job; return its id.

    Raises Unknown if there is no connection.
    """
    log.info("disconnecting", extra={"provider": provider, "by": by})
    try:
        connection = disconnecting.remove_connection(user_id, provider)
    except Gone as error:
        raise Unknown(str(error)) from None
    return queue("disconnect", str(connection["_id"]))


def finish_disconnect(connection_id: str) -> str:
    """Do what is left of ending a connection; return what became of it, in words.

    Leaves one alone that was made again meanwhile.  Raises Transient if the
    provider does not answer.
    """
    wanted = {"_id": ObjectId(connection_id)} | _NOT_REVOKED
    if (connection := collection(Connection).find_one(wanted)) is None:
        return "nothing is left to do"
    take_down(connection["user_id"], connection["provider"])
    # Read again: taking things down may have refreshed the token.
    if (connection := collection(Connection).find_one(wanted)) is None:
        return "it was connected again"
    return f"grant: {disconnecting.revoke_grant(connection)}"


def take_down(user_id: str, provider: str) -> None:
    """Take down what is kept for us at a provider, while the credentials still serve.

    Raises RateLimited and Transient; what is left then is taken down by the next call.
    """
    if provider == "microsoft":
        clearing.clear(user_id)
    push.stop_all(user_id, provider)


def queue_unfinished() -> int:
    """Queue a job for every disconnect and erasure that is not done; return how many."""
    ended = collection(Connection).find(_NOT_REVOKED, {"_id": 1}).sort("connected_at", 1)
    late = collection(Erasure).find({"check_at": {"$lte": datetime.now(UTC)}}, {"_id": 1})
    sends = [Send("disconnect", (str(row["_id"]),)) for row in ended.limit(_BATCH)]
    sends += [Send("erase", (row["_id"],)) for row in late.limit(_BATCH)]
    return sum(one.created for one in dispatch.send_many(sends))


def queue(job: str, argument: str) -> str:
    """Queue a job and return its id, or nothing if Redis is down: the next tick queues it."""
    try:
        return dispatch.send(job, argument).message_id
    except RedisError as error:
        log.warning("not queued yet", extra={"job": job, "reason": type(error).__name__})
        return ""
