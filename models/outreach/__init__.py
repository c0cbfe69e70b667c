"""Outreach: campaigns, the contacts in them, what is sent to them and what they do with it."""

from models.outreach.campaign import CAMPAIGN_STATUSES, Campaign, PlanVersion
from models.outreach.contact import Contact, ContactImport
from models.outreach.enrollment import (
    ACTION_OPEN,
    ENROLLMENT_OVER,
    ENROLLMENT_STATUSES,
    Enrollment,
    EnrollmentTransition,
    ScheduledAction,
)
from models.outreach.event import EVENT_TYPES, OutreachDelivery, OutreachEvent
from models.outreach.link_secret import LinkSecret
from models.outreach.message import MESSAGE_STATES, OutboundMessage
from models.outreach.sender import (
    CHANNELS,
    SENDER_PROVIDERS,
    SENDER_STATUSES,
    SenderIdentity,
    SendLimits,
)
from models.outreach.suppression import SUPPRESSION_REASONS, Suppression

MODELS = (
    SenderIdentity,
    Contact,
    ContactImport,
    Campaign,
    PlanVersion,
    Enrollment,
    EnrollmentTransition,
    ScheduledAction,
    OutboundMessage,
    OutreachEvent,
    OutreachDelivery,
    Suppression,
    LinkSecret,
)

__all__ = [
    "ACTION_OPEN",
    "CAMPAIGN_STATUSES",
    "CHANNELS",
    "ENROLLMENT_OVER",
    "ENROLLMENT_STATUSES",
    "EVENT_TYPES",
    "MESSAGE_STATES",
    "MODELS",
    "SENDER_PROVIDERS",
    "SENDER_STATUSES",
    "SUPPRESSION_REASONS",
    "Campaign",
    "Contact",
    "ContactImport",
    "Enrollment",
    "EnrollmentTransition",
    "LinkSecret",
    "OutboundMessage",
    "OutreachDelivery",
    "OutreachEvent",
    "PlanVersion",
    "ScheduledAction",
    "SendLimits",
    "SenderIdentity",
    "Suppression",
]
