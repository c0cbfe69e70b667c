"""Which of an access token's scopes allow what: any one of a set is enough."""

from __future__ import annotations

READ_MAIL = frozenset(("Mail.Read", "Mail.ReadWrite"))
WRITE_MAIL = frozenset(("Mail.ReadWrite",))
SEND_MAIL = frozenset(("Mail.Send",))
READ_USER = frozenset(("User.Read", *READ_MAIL))
READ_SETTINGS = frozenset(("MailboxSettings.Read", "MailboxSettings.ReadWrite"))
WRITE_SETTINGS = frozenset(("MailboxSettings.ReadWrite",))
