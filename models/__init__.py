"""What Headrace keeps: MongoDB documents.  No network, no queue."""

from models.connection import Connection, EncryptedValue, KeyCheck
from models.dead_letter import DeadLetter
from models.projection import ProjectionLease
from models.record import Record, RejectedItem
from models.sync_state import SyncRun, SyncState
from models.user import DEFAULT_TENANT, User

ALL = (
    User,
    Connection,
    KeyCheck,
    SyncState,
    SyncRun,
    Record,
    RejectedItem,
    ProjectionLease,
    DeadLetter,
)

__all__ = [
    "ALL",
    "DEFAULT_TENANT",
    "Connection",
    "DeadLetter",
    "EncryptedValue",
    "KeyCheck",
    "ProjectionLease",
    "Record",
    "RejectedItem",
    "SyncRun",
    "SyncState",
    "User",
    "ensure_indexes",
]


def ensure_indexes() -> None:
    """Create every index that is missing; safe to run from many processes at once."""
    for model in ALL:
        model.ensure_indexes()
