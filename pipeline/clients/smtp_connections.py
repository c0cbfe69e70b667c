"""Connections to mail servers: signed in, kept for the next message, checked before it."""

from __future__ import annotations

import atexit
import smtplib
import socket
import ssl
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cache

from pipeline.clients.sending_errors import NotTaken
from pipeline.clients.smtp_errors import ServerReply
from pipeline.clients.smtp_server import MailServer
from pipeline.config import settings
from pipeline.errors import HeadraceError, Misconfigured
from pipeline.stores import per_process

#: Servers close idle connections after minutes; ours go before.
_IDLE_SECONDS = 30.0
#: Kept per server; more threads than that open others for the moment.
_KEPT = 8
#: Servers want a new connection after so many messages.
_MESSAGES = 100


@dataclass(slots=True)
class Connection:
    """A connection that may be used by one thread at a time."""

    server: MailServer
    dialogue: smtplib.SMTP
    messages: int = 0
    idle_since: float = field(default_factory=time.monotonic)


class Connections:
    """The idle connections of this process, by server and user."""

    def __init__(self) -> None:
        self._idle: dict[MailServer, list[Connection]] = defaultdict(list)
        self._lock = threading.Lock()

    def take(self, server: MailServer, *, fresh: bool = False) -> Connection:
        """Return a connection that worked a moment ago, a new one if need be.

        Raises NotTaken if there is none to be had, Misconfigured if the server does not want us.
        """
        while not fresh and (found := self._pop(server)) is not None:
            if _is_alive(found):
                return found
            self.drop(found)
        return Connection(server, _open(server))

    def give_back(self, connection: Connection, *, reset: bool = False) -> None:
        """Keep a connection for the next message; `reset`: the last one was refused."""
        connection.messages += 1
        connection.idle_since = time.monotonic()
        if connection.messages >= _MESSAGES or (reset and not _says(connection, "rset")):
            self.drop(connection)
            return
        with self._lock:
            kept = self._idle[connection.server]
            if len(kept) < _KEPT:
                kept.append(connection)
                return
        self.drop(connection)

    def drop(self, connection: Connection) -> None:
        """Close a connection without a word: it may be broken, or the server slow."""
        connection.dialogue.close()

    def close(self) -> None:
        """Close all idle connections."""
        with self._lock:
            idle = [connection for kept in self._idle.values() for connection in kept]
            self._idle.clear()
        for connection in idle:
            self.drop(connection)

    def _pop(self, server: MailServer) -> Connection | None:
        with self._lock:
            kept = self._idle.get(server)
            return kept.pop() if kept else None


@per_process
def connections() -> Connections:
    """Return the connections of this process, which are closed when it ends."""
    made = Connections()
    atexit.register(made.close)
    return made


def _is_alive(connection: Connection) -> bool:
    idle_seconds = time.monotonic() - connection.idle_since
    return idle_seconds < _IDLE_SECONDS and _says(connection, "noop")


def _says(connection: Connection, command: str) -> bool:
    """Whether the server answers 250 to a command without effect."""
    try:
        return connection.dialogue.docmd(command)[0] == 250
    except (OSError, smtplib.SMTPException):
        return False


def _open(server: MailServer) -> smtplib.SMTP:
    """Return a new connection: encrypted where that can be, signed in if there is a user."""
    dialogue = _connected(server)
    try:
        _greet(dialogue)
        if not server.is_tls:
            _encrypt(dialogue, server)
        if server.user:
            _sign_in(dialogue, server)
    except (OSError, smtplib.SMTPException, HeadraceError) as error:
        dialogue.close()
        raise _meaning(error) from None
    return dialogue


def _connected(server: MailServer) -> smtplib.SMTP:
    seconds = settings().provider_timeout_seconds
    try:
        if server.is_tls:
            return smtplib.SMTP_SSL(
                *(server.host, server.port, _own_name()), timeout=seconds, context=_context(True)
            )
        return smtplib.SMTP(server.host, server.port, _own_name(), timeout=seconds)
    except (OSError, smtplib.SMTPException) as error:
        raise _meaning(error) from None


def _greet(dialogue: smtplib.SMTP) -> None:
    reply = ServerReply("greet", *dialogue.ehlo())
    if not reply.is_good:
        reply = ServerReply("greet", *dialogue.helo())
    if not reply.is_good:
        raise reply.meaning()


def _encrypt(dialogue: smtplib.SMTP, server: MailServer) -> None:
    """Begin TLS if it is offered.

    Without a password nothing can be had from us that the next server on the way would not see,
    and such servers seldom have a certificate that verifies: https://www.rfc-editor.org/rfc/rfc7435
    """
    if dialogue.has_extn("starttls"):
        dialogue.starttls(context=_context(bool(server.user)))
        _greet(dialogue)
    elif server.user and not server.is_local:
        raise Misconfigured("smtp: the server offers no TLS, and a password is not sent without")


def _sign_in(dialogue: smtplib.SMTP, server: MailServer) -> None:
    try:
        dialogue.login(server.user, server.password)
    except UnicodeEncodeError:
        raise Misconfigured("smtp: user or password have characters outside ASCII") from None


def _meaning(error: Exception) -> HeadraceError:
    """Return what went wrong before there was a message; texts of errors may name users."""
    if isinstance(error, HeadraceError):
        return error
    if isinstance(error, ssl.SSLCertVerificationError):
        return Misconfigured("smtp: the server's certificate does not verify")
    # Of no class of its own: none of the ways to sign in that are offered is known.
    if isinstance(error, smtplib.SMTPNotSupportedError) or type(error) is smtplib.SMTPException:
        return Misconfigured("smtp: the server offers no way to sign in that we know")
    if isinstance(error, smtplib.SMTPResponseException):
        is_sign_in = isinstance(error, smtplib.SMTPAuthenticationError)
        step = "sign in" if is_sign_in else "greet"
        text = error.smtp_error
        return ServerReply(
            step, error.smtp_code, text if isinstance(text, bytes) else b""
        ).meaning()
    return NotTaken(f"smtp: no connection ({type(error).__name__})")


def _context(verifies: bool) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if not verifies:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


@cache
def _own_name() -> str:
    """Return what we call ourselves: a name that others know, else an address.

    https://www.rfc-editor.org/rfc/rfc5321#section-4.1.3
    """
    name = socket.getfqdn()
    return name if "." in name else "[127.0.0.1]"
