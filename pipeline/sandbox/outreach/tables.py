"""The tables of outreach, in the sandbox's one SQLite file."""

OUTREACH_SCHEMA = """
CREATE TABLE IF NOT EXISTS inbox (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    message_id TEXT NOT NULL UNIQUE, channel TEXT NOT NULL, provider TEXT NOT NULL,
    provider_id TEXT NOT NULL, address TEXT NOT NULL, sender TEXT NOT NULL,
    subject TEXT NOT NULL, text TEXT NOT NULL, html TEXT NOT NULL,
    headers TEXT NOT NULL, custom TEXT NOT NULL, details TEXT NOT NULL,
    received_ms INTEGER NOT NULL, status TEXT NOT NULL, status_ms INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS inbox_by_address ON inbox (address, n);
CREATE INDEX IF NOT EXISTS inbox_by_time ON inbox (received_ms);
CREATE INDEX IF NOT EXISTS inbox_by_provider_id ON inbox (provider_id);
CREATE TABLE IF NOT EXISTS recipients (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    address TEXT NOT NULL UNIQUE, is_pattern INTEGER NOT NULL, habits TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS recipients_by_pattern ON recipients (n) WHERE is_pattern = 1;
CREATE TABLE IF NOT EXISTS recipient_acts (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    message_n INTEGER NOT NULL, act TEXT NOT NULL, params TEXT NOT NULL,
    due_ms INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,
    done_ms INTEGER, outcome TEXT NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS recipient_acts_by_message ON recipient_acts (message_n);
CREATE INDEX IF NOT EXISTS recipient_acts_waiting ON recipient_acts (due_ms) WHERE done_ms IS NULL;
"""
