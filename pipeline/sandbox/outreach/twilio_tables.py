"""The tables of Twilio, in the sandbox's one SQLite file."""

TWILIO_SCHEMA = """
CREATE TABLE IF NOT EXISTS twilio_messages (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    sid TEXT NOT NULL UNIQUE, direction TEXT NOT NULL,
    recipient TEXT NOT NULL, sender TEXT NOT NULL, body TEXT NOT NULL,
    status TEXT NOT NULL, error_code INTEGER,
    created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL, sent_ms INTEGER,
    callback TEXT NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS twilio_messages_by_recipient ON twilio_messages (recipient, n);
CREATE TABLE IF NOT EXISTS twilio_numbers (
    number TEXT PRIMARY KEY, sid TEXT NOT NULL UNIQUE, sms INTEGER NOT NULL DEFAULT 1,
    sms_url TEXT NOT NULL DEFAULT '', created_ms INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS twilio_opt_outs (
    recipient TEXT NOT NULL, sender TEXT NOT NULL, PRIMARY KEY (recipient, sender)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS twilio_posts (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    recipient TEXT NOT NULL, url TEXT NOT NULL, form TEXT NOT NULL, due_ms INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0, held INTEGER NOT NULL DEFAULT 0
);
"""
