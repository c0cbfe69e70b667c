"""Mail servers that break off, change their mind, or speak TLS."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from pipeline.clients import smtp
from pipeline.clients.sending_errors import NotTaken, Refused, Unanswered
from pipeline.clients.smtp_server import MailServer
from pipeline.errors import HeadraceError, Misconfigured

Setting = Callable[..., None]
#: This machine, by an address that does not say so.
ANY = "0.0.0.0"  # noqa: S104
GREETING = ["220 mx", "250 mx"]
#: What a server says before it begins TLS.
TLS = "220 2.0.0 begin TLS"
#: What it says to a message that it takes.
WHOLE = [*GREETING, "250 ok", "250 ok", "354 go on", "250 2.0.0 Ok: queued as ABC1"]


class _Speaker:
    """One connection of a server that follows a script."""

    def __init__(
        self, connection: socket.socket, told: list[str], tls: ssl.SSLContext | None
    ) -> None:
        self._connection, self._told, self._tls = connection, told, tls

    def speak(self, script: Sequence[str]) -> None:
        for number, line in enumerate(script):
            whole = number and script[number - 1].startswith("354")
            if number and not self._hear(b"\r\n.\r\n" if whole else b"\r\n"):
                return
            self._connection.sendall(line.encode() + b"\r\n")
            if line == TLS and self._tls is not None:
                self._connection = self._tls.wrap_socket(self._connection, server_side=True)
        if not script[-1].startswith("250 2.0.0"):
            self._hear(b"\r\n.\r\n" if script[-1].startswith("354") else b"\r\n")

    def close(self) -> None:
        self._connection.close()

    def _hear(self, ends: bytes) -> bool:
        """Wait for a line, or a whole message; False when the client has hung up."""
        said = b""
        while not said.endswith(ends):
            part = self._connection.recv(65_536)
            if not part:
                return False
            said += part
        self._told.append(said.decode())
        return True


@contextmanager
def server(
    *scripts: Sequence[str], tls: ssl.SSLContext | None = None
) -> Iterator[tuple[MailServer, list[str]]]:
    """A server that says these lines, one script per connection, and then hangs up.

    It waits for a line before each but the first, after 354 for a whole message, and after the
    last one unless that ends a message.  Yields what it was told.
    """
    told: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            for script in scripts:
                speaker = _Speaker(listener.accept()[0], told, tls)
                with suppress(OSError):
                    speaker.speak(script)
                speaker.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield MailServer("127.0.0.1", listener.getsockname()[1]), told
        thread.join(5)


def send(to: MailServer) -> str:
    mail = EmailMessage()
    mail.set_content("Hello")
    return smtp.send(to, mail, sender="sales@acme.test", to="ada@example.com")


def failure(to: MailServer) -> HeadraceError:
    with pytest.raises(HeadraceError) as found:
        send(to)
    assert "ada@" not in str(found.value)
    return found.value


@pytest.fixture(autouse=True)
def impatience(setting: Setting) -> None:
    setting(PROVIDER_TIMEOUT_SECONDS=2)


def test_a_message_is_handed_over_step_by_step() -> None:
    with server(WHOLE) as (mx, told):
        assert send(mx) == "ABC1"
    assert told[0].startswith("ehlo ")
    assert told[1:4] == [
        "mail FROM:<sales@acme.test>\r\n",
        "rcpt TO:<ada@example.com>\r\n",
        "data\r\n",
    ]
    assert told[4].endswith("Hello\r\n.\r\n")


@pytest.mark.parametrize(
    ("lines", "meaning"),
    [
        ([""], NotTaken),
        (["421 busy"], NotTaken),
        (["554 not you"], Misconfigured),
        (["220 mx"], NotTaken),
        ([*GREETING, "250 ok"], NotTaken),
        ([*GREETING, "451 later"], NotTaken),
        ([*GREETING, "250 ok", "550 5.1.1 nobody"], Refused),
        ([*GREETING, "250 ok", "250 ok", "451 later"], NotTaken),
        ([*GREETING, "250 ok", "250 ok", "250 what?"], NotTaken),
        ([*GREETING, "250 ok", "250 ok", "354 go on"], Unanswered),
        ([*GREETING, "250 ok", "250 ok", "354 go on", "what?"], Unanswered),
        ([*GREETING, "250 ok", "250 ok", "354 go on", "354 go on"], Unanswered),
        ([*GREETING, "250 ok", "250 ok", "354 go on", "452 full"], NotTaken),
        ([*GREETING, "250 ok", "250 ok", "354 go on", "554 5.7.1 spam"], Refused),
    ],
)
def test_it_is_known_at_which_step_it_went_wrong(
    lines: list[str], meaning: type[HeadraceError]
) -> None:
    with server(lines) as (mx, _):
        assert type(failure(mx)) is meaning


def test_a_connection_is_used_again_and_replaced_when_it_is_gone() -> None:
    with server([*WHOLE[:-1], "250 taken", "250 noop", *WHOLE[2:]], WHOLE) as (mx, told):
        assert send(mx) == ""
        assert send(mx) == "ABC1"
        assert send(mx) == "ABC1"  # the server has hung up by now
    assert len([line for line in told if line.startswith("ehlo")]) == 2


def test_a_server_that_wants_no_password_in_the_clear_gets_none() -> None:
    with server(GREETING) as (mx, told):
        remote = MailServer(ANY, mx.port, user="sales", password="hunter2")
        assert isinstance(failure(remote), Misconfigured)
    assert not any("hunter2" in line or "AUTH" in line.upper() for line in told)
    with server([*GREETING]) as (mx, _):
        local = MailServer(mx.host, mx.port, user="sales", password="hunter2")
        assert isinstance(failure(local), Misconfigured)  # it offers no way to sign in


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate of 127.0.0.1 that signs itself, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


SECURE = ["220 mx", "250-mx\r\n250 STARTTLS", TLS, "250-mx\r\n250 AUTH PLAIN"]
SIGNED_IN = [*SECURE, "235 2.7.0 welcome"]


def test_passwords_go_over_tls_that_verifies(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    scripts = (SECURE[:3], [*SECURE, *WHOLE[2:]], [*SIGNED_IN, *WHOLE[2:]], SIGNED_IN)
    refused = [*SECURE, "535 5.7.8 no"]
    with server(*scripts, refused, tls=tls) as (mx, told):
        signed_in = MailServer("localhost", mx.port, user="sales", password="hunter2")
        assert isinstance(failure(signed_in), Misconfigured)
        # Without a password any TLS is better than none.
        assert send(MailServer("localhost", mx.port)) == "ABC1"
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert send(signed_in) == "ABC1"
        smtp.check(signed_in)
        with pytest.raises(Misconfigured, match="535"):
            smtp.check(signed_in)
    assert len([line for line in told if line.startswith("AUTH PLAIN")]) == 3
