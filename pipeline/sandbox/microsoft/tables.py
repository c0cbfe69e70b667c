"""The tables of Microsoft's side, in the sandbox's one SQLite file."""

MICROSOFT_SCHEMA = """
CREATE TABLE IF NOT EXISTS mailboxes (
    user_n INTEGER PRIMARY KEY, rev INTEGER NOT NULL DEFAULT 0, floor INTEGER NOT NULL DEFAULT 0,
    time_zone TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS mail_folders (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    user_n INTEGER NOT NULL, folder_id TEXT NOT NULL UNIQUE, parent_id TEXT NOT NULL,
    name TEXT NOT NULL, well_known TEXT, hidden INTEGER NOT NULL DEFAULT 0,
    rev INTEGER NOT NULL, live INTEGER NOT NULL DEFAULT 1
);
CREATE INDEX IF NOT EXISTS mail_folders_by_user ON mail_folders (user_n, rev);
CREATE TABLE IF NOT EXISTS mail_items (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    user_n INTEGER NOT NULL, message_id TEXT NOT NULL UNIQUE, default_id TEXT NOT NULL UNIQUE,
    folder_n INTEGER NOT NULL, rev INTEGER NOT NULL, came_rev INTEGER NOT NULL,
    received_ms INTEGER NOT NULL, is_read INTEGER NOT NULL, quiet INTEGER NOT NULL DEFAULT 0,
    changes TEXT NOT NULL DEFAULT '{}', body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS mail_items_by_rev ON mail_items (folder_n, rev);
CREATE INDEX IF NOT EXISTS mail_items_by_date ON mail_items (folder_n, received_ms, n);
CREATE INDEX IF NOT EXISTS mail_items_of_user ON mail_items (user_n, received_ms, n);
CREATE INDEX IF NOT EXISTS mail_items_to_count ON mail_items (user_n, folder_n, is_read);
CREATE TABLE IF NOT EXISTS mail_departures (
    folder_n INTEGER NOT NULL, message_id TEXT NOT NULL, default_id TEXT NOT NULL,
    user_n INTEGER NOT NULL, rev INTEGER NOT NULL,
    PRIMARY KEY (folder_n, message_id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS mail_departures_by_rev ON mail_departures (folder_n, rev);
CREATE TABLE IF NOT EXISTS inbox_rules (
    user_n INTEGER NOT NULL, rule_id TEXT NOT NULL, sequence INTEGER NOT NULL,
    body TEXT NOT NULL, PRIMARY KEY (user_n, rule_id)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS graph_codes (
    code TEXT PRIMARY KEY, user_n INTEGER NOT NULL, scopes TEXT NOT NULL,
    redirect_uri TEXT NOT NULL, challenge TEXT, nonce TEXT, expires_ms INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS graph_tokens (
    token TEXT PRIMARY KEY, user_n INTEGER NOT NULL, kind TEXT NOT NULL, scopes TEXT NOT NULL,
    expires_ms INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS graph_tokens_by_user ON graph_tokens (user_n, kind);
CREATE TABLE IF NOT EXISTS graph_consents (
    user_n INTEGER PRIMARY KEY, scopes TEXT NOT NULL, refusal TEXT
);

CREATE TABLE IF NOT EXISTS lives (
    user_n INTEGER PRIMARY KEY, seed INTEGER NOT NULL, made_ms INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS lived_days (
    user_n INTEGER NOT NULL, day INTEGER NOT NULL, seed INTEGER NOT NULL,
    PRIMARY KEY (user_n, day)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS lived_mails (
    user_n INTEGER NOT NULL, key TEXT NOT NULL, message_id TEXT NOT NULL,
    PRIMARY KEY (user_n, key)
) WITHOUT ROWID;
"""

#: Tables whose rows go with their user.
OF_A_USER = (
    *("mailboxes", "mail_folders", "mail_items", "mail_departures", "inbox_rules"),
    *("graph_codes", "graph_tokens", "graph_consents"),
    *("lives", "lived_days", "lived_mails"),
)
