"""A mail server that takes mail for everybody, from who signs in.

Faults strike its steps, which are the methods auth, mail, rcpt and data of the API `smtp`; their
`user` and `path` are the recipient, or before there is one the sender or who signs in.  `status`
answers with `code` and `message`, `slow` and `hang` wait, `drop` and `hang` close the connection;
on data, with `when` = after, the mail was taken all the same.
"""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import replace
from typing import cast

from aiosmtpd.smtp import SMTP as Server
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session

from pipeline.sandbox.calls import Call, Method, Reply
from pipeline.sandbox.faults import Fault, Faults
from pipeline.sandbox.outreach import SMTP_API, SMTP_PASSWORD, SMTP_USER
from pipeline.sandbox.outreach.mime import Mail
from pipeline.sandbox.store import Store
from pipeline.sandbox.usage import Usage

_GOOD, _TRY_LATER = "250 2.0.0 Ok", 451
_LARGEST_BYTES = 10 * 1024 * 1024
_NAME = "sandbox.invalid"


class MailServer:
    """The server; it runs on the event loop that starts it."""

    def __init__(self, store: Store, faults: Faults, usage: Usage) -> None:
        self._dialogue = _Dialogue(store, faults, usage)
        self._listening: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen; returns the port, which 0 leaves open.  Raises OSError when it is taken."""
        loop = asyncio.get_running_loop()
        self._listening = await loop.create_server(self._connection, host, port)
        return int(self._listening.sockets[0].getsockname()[1])

    def stop(self) -> None:
        if self._listening is not None:
            self._listening.close()

    def _connection(self) -> Server:
        return Server(
            self._dialogue,
            authenticator=self._dialogue.sign_in,
            auth_require_tls=False,
            data_size_limit=_LARGEST_BYTES,
            hostname=_NAME,
            ident="Headrace sandbox",
            loop=asyncio.get_running_loop(),
        )


class _Dialogue:
    """What is answered at each step; aiosmtpd calls its methods by their names."""

    def __init__(self, store: Store, faults: Faults, usage: Usage) -> None:
        self._store, self._faults, self._usage = store, faults, usage

    def sign_in(
        self, _server: Server, _session: Session, _envelope: Envelope, _way: str, given: object
    ) -> AuthResult:
        if not isinstance(given, LoginPassword):
            return AuthResult(success=False, handled=False)
        user = given.login.decode("utf-8", "replace")
        fault = self._fault("auth", user)
        is_known = (given.login, given.password) == (SMTP_USER.encode(), SMTP_PASSWORD.encode())
        if fault is not None and fault.kind == "status":
            refusal = _refusal(fault)
            self._count("auth", user, refusal)
            return AuthResult(success=False, handled=False, message=refusal)
        self._count("auth", user, "235" if is_known else "535")
        return AuthResult(success=is_known, handled=False)

    async def handle_MAIL(
        self, server: Server, session: Session, envelope: Envelope, address: str, _: list[str]
    ) -> str:
        if not session.authenticated:
            return "530 5.7.0 Authentication required"
        answer = await self._step(server, "mail", address)
        if answer == _GOOD:
            envelope.mail_from = address
        return answer

    async def handle_RCPT(
        self, server: Server, _session: Session, envelope: Envelope, address: str, _: list[str]
    ) -> str:
        answer = await self._step(server, "rcpt", address)
        if answer == _GOOD:
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: Server, _session: Session, envelope: Envelope) -> str:
        name = secrets.token_hex(6)
        fault = self._fault("data", envelope.rcpt_tos[0])
        taken = fault is None or fault.kind == "slow" or fault.params.get("when") == "after"
        if taken:
            await asyncio.to_thread(self._take, envelope, name)
        answer = await self._answer(server, fault)
        answer = f"{_GOOD}: queued as {name}" if answer == _GOOD else answer
        self._count("data", envelope.rcpt_tos[0], answer)
        return answer

    async def _step(self, server: Server, step: str, address: str) -> str:
        answer = await self._answer(server, self._fault(step, address))
        self._count(step, address, answer)
        return answer

    def _fault(self, step: str, address: str) -> Fault | None:
        call = Call(self._store, "SMTP", address, [])
        return self._faults.choose(call, _STEPS[step], address)

    async def _answer(self, server: Server, fault: Fault | None) -> str:
        """Do what a fault does to a step; returns the answer."""
        if fault is None:
            return _GOOD
        if fault.kind in ("slow", "hang"):
            usual = 1 if fault.kind == "slow" else 30
            await asyncio.sleep(float(fault.params.get("seconds", usual)))
        if fault.kind in ("drop", "hang") and server.transport is not None:
            cast(asyncio.WriteTransport, server.transport).abort()
        return _refusal(fault) if fault.kind == "status" else _GOOD

    def _take(self, envelope: Envelope, name: str) -> None:
        mail = Mail.of(envelope.original_content or b"")
        with self._store.database.transaction():
            for address in envelope.rcpt_tos:
                self._store.inbox.deliver(
                    channel="email",
                    provider=SMTP_API,
                    to=address,
                    from_=mail.headers.get("From", str(envelope.mail_from)),
                    provider_id=name,
                    subject=mail.subject,
                    text=mail.text,
                    html=mail.html,
                    headers=mail.headers,
                )

    def _count(self, step: str, address: str, answer: str) -> None:
        self._usage.add(SMTP_API, step, address, int(answer[:3]), 0)


def _refusal(fault: Fault) -> str:
    code = int(fault.params.get("code", _TRY_LATER))
    return f"{code} {fault.params.get('message', 'Refused by a fault')}"


def _nothing(_: Call) -> Reply:
    raise RuntimeError("a mail server is not called over HTTP")


_STEP = Method(SMTP_API, "", "SMTP", "", frozenset(), _nothing, open=True)
_STEPS = {name: replace(_STEP, name=name) for name in ("auth", "mail", "rcpt", "data")}
