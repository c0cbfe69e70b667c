"""Logging: fixed text plus fields, as lines or JSON."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any

from pipeline.config import Settings

#: Attributes that logging itself puts on a record; whatever else is there is a field.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

#: These log whole request addresses, which hold ids and search terms, or one line per retry,
#: or what outcomes.py says better.
_NOISY = (
    "apscheduler",
    "backoff",
    "composio_client",
    "dramatiq.worker.WorkerThread",
    "google",
    "google_auth_httplib2",
    "googleapiclient",
    "httpcore2",
    "httpx",
    "httpx2",
    "neo4j",
    "nltk",
    "openai",
    "opensearch",
    "urllib3",
)


def configure(settings: Settings) -> None:
    """Write log lines of this process to standard error, in the form that is set."""
    handler = logging.StreamHandler()
    handler.setFormatter(_JsonFormatter() if settings.log_format == "json" else _TextFormatter())
    logging.basicConfig(level=settings.log_level, handlers=[handler], force=True)
    for noisy in _NOISY:
        logging.getLogger(noisy).setLevel(logging.ERROR)


def fields_of(record: logging.LogRecord) -> dict[str, Any]:
    return {name: value for name, value in vars(record).items() if name not in _STANDARD}


class _TextFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        fields = fields_of(record)
        traceback = fields.pop("traceback", "")
        if record.exc_info:
            traceback = self.formatException(record.exc_info)
        words = "".join(f" {name}={value}" for name, value in fields.items())
        line = f"{moment} {record.levelname:<7} {record.name}: {record.getMessage()}{words}"
        return f"{line}\n{traceback}" if traceback else line


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **fields_of(record),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)
