"""What Headrace keeps: MongoDB documents.  No network, no queue."""

from models.admin_session import AdminSession
from models.admin_user import AdminUser
from models.ai import AiRequest, AiUsage
from models.api_token import ApiToken
from models.audit_log import AuditLog
from models.connection import Connection, EncryptedValue, KeyCheck
from models.dead_letter import DeadLetter
from models.email import EmailDelivery, EmailTemplate
from models.email_event import EmailEvent, SeenMail
from models.erasure import Erasure
from models.execution import Execution
from models.mail_audit import MailAudit
from models.mailbox import Mailbox
from models.notification import Notification
from models.outreach import MODELS as OUTREACH
from models.outreach import (
    Campaign,
    Contact,
    ContactImport,
    Enrollment,
    EnrollmentTransition,
    LinkSecret,
    OutboundMessage,
    OutreachDelivery,
    OutreachEvent,
    PlanVersion,
    ScheduledAction,
    SenderIdentity,
    Suppression,
)
from models.pattern import Pattern
from models.projection import ProjectionLease
from models.record import Record, RejectedItem
from models.rule import Rule, TenantPolicy
from models.search import SearchIndex, SearchRebuild
from models.staged_email import StagedEmail
from models.subscription import SUBSCRIPTION_STATUSES, Subscription
from models.sync_state import SyncRun, SyncState
from models.tenant import Tenant
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
    Mailbox,
    EmailEvent,
    SeenMail,
    Pattern,
    Rule,
    TenantPolicy,
    Execution,
    StagedEmail,
    MailAudit,
    Notification,
    Tenant,
    SearchIndex,
    SearchRebuild,
    AiRequest,
    AiUsage,
    EmailTemplate,
    EmailDelivery,
    *OUTREACH,
)

__all__ = [
    "ALL",
    "DEFAULT_TENANT",
    "SUBSCRIPTION_STATUSES",
    "AdminSession",
    "AdminUser",
    "AiRequest",
    "AiUsage",
    "ApiToken",
    "AuditLog",
    "Campaign",
    "Connection",
    "Contact",
    "ContactImport",
    "DeadLetter",
    "EmailDelivery",
    "EmailEvent",
    "EmailTemplate",
    "EncryptedValue",
    "Enrollment",
    "EnrollmentTransition",
    "Erasure",
    "Execution",
    "KeyCheck",
    "LinkSecret",
    "MailAudit",
    "Mailbox",
    "Notification",
    "OutboundMessage",
    "OutreachDelivery",
    "OutreachEvent",
    "Pattern",
    "PlanVersion",
    "ProjectionLease",
    "Record",
    "RejectedItem",
    "Rule",
    "ScheduledAction",
    "SearchIndex",
    "SearchRebuild",
    "SeenMail",
    "SenderIdentity",
    "StagedEmail",
    "Subscription",
    "Suppression",
    "SyncRun",
    "SyncState",
    "Tenant",
    "TenantPolicy",
    "User",
    "WebhookDelivery",
    "ensure_indexes",
]


def ensure_indexes() -> None:
    """Create every index that is missing; safe to run from many processes at once."""
    for model in ALL:
        model.ensure_indexes()
