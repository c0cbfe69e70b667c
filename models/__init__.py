"""What Headrace keeps: MongoDB documents.  No network, no queue."""

from models.admin_session import AdminSession
from models.admin_user import AdminUser
from models.api_token import ApiToken
from models.audit_log import AuditLog
from models.connection import Connection, EncryptedValue, KeyCheck
from models.dead_letter import DeadLetter
from models.erasure import Erasure
from models.projection import ProjectionLease
from models.record import Record, RejectedItem
from models.subscription import SUBSCRIPTION_STATUSES, Subscription
from models.sync_state import SyncRun, SyncState
from models.user import DEFAULT_TENANT, User
from models.webhook_delivery import WebhookDelivery

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
    Erasure,
    Subscription,
    WebhookDelivery,
    AdminUser,
    AdminSession,
    AuditLog,
    ApiToken,
)

__all__ = [
    "ALL",
    "DEFAULT_TENANT",
    "SUBSCRIPTION_STATUSES",
    "AdminSession",
    "AdminUser",
    "ApiToken",
    "AuditLog",
    "Connection",
    "DeadLetter",
    "EncryptedValue",
    "Erasure",
    "KeyCheck",
    "ProjectionLease",
    "Record",
    "RejectedItem",
    "Subscription",
    "SyncRun",
    "SyncState",
    "User",
    "WebhookDelivery",
    "ensure_indexes",
]


def ensure_indexes() -> None:
    """Create every index that is missing; safe to run from many processes at once."""
    for model in ALL:
        model.ensure_indexes()
