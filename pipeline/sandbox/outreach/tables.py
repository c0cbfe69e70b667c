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
CREATE INDEX IF NOT EXISTS inbox_by_note
    ON inbox (json_extract(custom, '$.outbound_message_id'));
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

CREATE TABLE IF NOT EXISTS sendgrid_suppressions (
    address TEXT NOT NULL, kind TEXT NOT NULL, group_id INTEGER NOT NULL,
    PRIMARY KEY (address, kind, group_id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sendgrid_events (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    event TEXT NOT NULL, event_id TEXT NOT NULL, sg_message_id TEXT NOT NULL,
    at_ms INTEGER NOT NULL, state TEXT NOT NULL, batch_n INTEGER, body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS sendgrid_events_waiting ON sendgrid_events (n) WHERE state = 'waiting';
CREATE INDEX IF NOT EXISTS sendgrid_events_by_batch
    ON sendgrid_events (batch_n) WHERE batch_n IS NOT NULL;
CREATE INDEX IF NOT EXISTS sendgrid_events_by_message ON sendgrid_events (sg_message_id);
CREATE TABLE IF NOT EXISTS sendgrid_batches (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    due_ms INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,
    held INTEGER NOT NULL DEFAULT 0, body BLOB NOT NULL
);
"""
