"""E-mail to users: templates, preferences, digests, and a ledger by which each is sent once.

queue(key, …)                     have a mail be sent; the same key is sent once
send, mail_notification, make_digest, find   what the jobs of the queue do
get, listed, retry, settle        looking at what was sent, and dealing with what was not
source_of, save, revert, preview, versions   templates of a tenant
preferences_of, update_preferences, mode_of  what a user wants
"""

from pipeline.platform.email.catalog import BUILT_IN
from pipeline.platform.email.deliveries import get, listed, queue, retry, settle
from pipeline.platform.email.digests import make as make_digest
from pipeline.platform.email.notifications import mail as mail_notification
from pipeline.platform.email.overrides import (
    preview,
    revert,
    save,
    source_of,
    version_of,
    versions,
)
from pipeline.platform.email.preferences import mode_of, preferences_of
from pipeline.platform.email.preferences import update as update_preferences
from pipeline.platform.email.sending import send
from pipeline.platform.email.sweeping import find

__all__ = [
    "BUILT_IN",
    "find",
    "get",
    "listed",
    "mail_notification",
    "make_digest",
    "mode_of",
    "preferences_of",
    "preview",
    "queue",
    "retry",
    "revert",
    "save",
    "send",
    "settle",
    "source_of",
    "update_preferences",
    "version_of",
    "versions",
]
