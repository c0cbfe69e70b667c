"""What `headrace up` decides first: what is missing, and with which settings it runs."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.clients.keyring import new_key
from pipeline.embedded.files import private_folder, write_private
from pipeline.embedded.ports import LOOPBACK, Ports
from pipeline.errors import Misconfigured
from pipeline.sandbox.grants import CLIENT_ID, CLIENT_SECRET
from pipeline.sandbox.microsoft import MICROSOFT_CLIENT_ID, MICROSOFT_CLIENT_SECRET
from pipeline.sandbox.outreach import (
    SENDGRID_API_KEY,
    SENDGRID_WEBHOOK_PUBLIC_KEY,
    SMTP_PASSWORD,
    SMTP_USER,
    TWILIO_ACCOUNT_SID,
    TWILIO_AUTH_TOKEN,
)
from pipeline.sandbox.population import EMAIL_DOMAIN
from pipeline.sandbox.push.topics import PROJECT_ID, SERVICE_ACCOUNT

#: An embedded server starts when the environment does not name another one.
SERVER_OF_SETTING = {"REDIS_URL": "redis", "MONGODB_URI": "mongodb", "GRAPH_URI": "graph"}

#: The sandbox's Pub/Sub topic that mailboxes are watched through.
PUBSUB_TOPIC = f"projects/{PROJECT_ID}/topics/gmail"

_SANDBOX_SETTINGS = ("GOOGLE_API_BASE_URL", "GOOGLE_OAUTH_BASE_URL")


def missing_servers() -> list[str]:
    """Return the embedded servers whose setting is absent from the environment."""
    return [name for setting, name in SERVER_OF_SETTING.items() if not os.environ.get(setting)]


def sandbox_file(data_dir: Path) -> Path:
    """Return the file that holds all of the sandbox."""
    return data_dir / "sandbox.sqlite3"


def wants_sandbox(data_dir: Path, *, demo: bool) -> bool:
    """Return whether to start a sandbox: for a demo, and where there was one before.

    The users of an earlier demo would else be presented to Google, with
    credentials that Google has never seen.  Raises Misconfigured if the
    environment says only half of where Google is.
    """
    given = [name for name in _SANDBOX_SETTINGS if os.environ.get(name)]
    if not demo and not sandbox_file(data_dir).exists():
        return False
    if len(given) == 1:
        raise Misconfigured(f"{given[0]} is set alone: set {' and '.join(_SANDBOX_SETTINGS)}")
    return not given


@dataclass(frozen=True, slots=True)
class MetricsPorts:
    """Where the processes serve /metrics: the workers by the name of their family."""

    workers: Mapping[str, int]
    scheduler: int

    @classmethod
    def choose(cls, ports: Ports, families: Iterable[str]) -> MetricsPorts:
        """Return the ports remembered in the data folder, or new ones."""
        return cls(
            workers={name: ports.port_for(f"metrics-{name}") for name in families},
            scheduler=ports.port_for("metrics-scheduler"),
        )

    @property
    def settings(self) -> dict[str, str]:
        """The settings that name them, but those of worker families with queues of their own."""
        return {
            "WORKER_METRICS_PORT": str(next(iter(self.workers.values()))),
            "SCHEDULER_METRICS_PORT": str(self.scheduler),
        }


@dataclass(frozen=True, slots=True)
class SandboxPorts:
    """Where the sandbox serves HTTP, and takes mail."""

    http: int
    smtp: int

    @classmethod
    def choose(cls, ports: Ports) -> SandboxPorts:
        """Return the ports remembered in the data folder, or new ones."""
        return cls(ports.port_for("sandbox"), ports.port_for("sandbox-smtp"))


def sandbox_settings(ports: SandboxPorts) -> dict[str, str]:
    """Return the settings that make a sandbox be every provider that there is."""
    url = f"http://{LOOPBACK}:{ports.http}"
    return {
        **dict.fromkeys((*_SANDBOX_SETTINGS, "GOOGLE_ACCOUNTS_BASE_URL"), url),
        "GOOGLE_CERTS_URL": f"{url}/oauth2/v1/certs",
        "GOOGLE_CLIENT_ID": CLIENT_ID,
        "GOOGLE_CLIENT_SECRET": CLIENT_SECRET,
        "GOOGLE_PUBSUB_TOPIC": PUBSUB_TOPIC,
        "GOOGLE_PUBSUB_SERVICE_ACCOUNT": SERVICE_ACCOUNT,
        "MICROSOFT_GRAPH_BASE_URL": url,
        "MICROSOFT_LOGIN_BASE_URL": url,
        "MICROSOFT_CLIENT_ID": MICROSOFT_CLIENT_ID,
        "MICROSOFT_CLIENT_SECRET": MICROSOFT_CLIENT_SECRET,
        "SENDGRID_API_BASE_URL": url,
        "SENDGRID_API_KEY": SENDGRID_API_KEY,
        "SENDGRID_WEBHOOK_PUBLIC_KEYS": SENDGRID_WEBHOOK_PUBLIC_KEY,
        "TWILIO_API_BASE_URL": url,
        "TWILIO_ACCOUNT_SID": TWILIO_ACCOUNT_SID,
        "TWILIO_AUTH_TOKEN": TWILIO_AUTH_TOKEN,
        "EMAIL_FROM": f"headrace@{EMAIL_DOMAIN}",
        "SMTP_URL": f"smtp://{SMTP_USER}:{SMTP_PASSWORD}@{LOOPBACK}:{ports.smtp}",
    }


def web_settings(ports: Ports) -> dict[str, str]:
    """Return where the web listens and is found, but what the environment says of it."""
    port = os.environ.get("WEB_PORT") or str(ports.port_for("web"))
    url = os.environ.get("PUBLIC_BASE_URL") or f"http://{LOOPBACK}:{port}"
    return {"WEB_PORT": port, "PUBLIC_BASE_URL": url}


def key_settings(data_dir: Path) -> dict[str, str]:
    """Return the encryption key of the data folder, made once; nothing if one is set."""
    if os.environ.get("ENCRYPTION_KEYS"):
        return {}
    path = private_folder(data_dir) / "encryption.keys"
    if not path.exists():
        write_private(path, f"{new_key()}\n")
    return {"ENCRYPTION_KEYS": path.read_text(encoding="utf-8").strip()}


def write_env(data_dir: Path, values: Mapping[str, str]) -> None:
    """Write `<data_dir>/env`, which pipeline.config reads; for this user only."""
    lines = [f"{name}='{value}'\n" for name, value in values.items()]
    write_private(data_dir / "env", "".join(["# Written by `headrace up`\n", *lines]))


def remove_env(data_dir: Path) -> None:
    """Remove the file: what it names does not run any more."""
    (data_dir / "env").unlink(missing_ok=True)
