"""What a mail server's replies mean, by the step of the dialogue.

https://www.rfc-editor.org/rfc/rfc5321#section-4.2 and https://www.rfc-editor.org/rfc/rfc3463
Our messages carry step, code and enhanced code; the server's text names recipients.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pipeline.clients.sending_errors import NotTaken, Refused
from pipeline.errors import HeadraceError, Misconfigured

_ENHANCED = re.compile(rb"([245]\.\d{1,3}\.\d{1,3})\b")
#: Codes that say so of a mailbox when no enhanced code says something else.
_NO_MAILBOX = frozenset((550, 551, 553))
#: Who we are is not accepted: https://www.rfc-editor.org/rfc/rfc4954#section-6
_SIGN_IN = frozenset((530, 534, 535, 538))
_TOO_LARGE = 552
#: The server waits for the message.
_GO_ON = 354


@dataclass(frozen=True, slots=True)
class ServerReply:
    """A reply to one step: greet, sign in, sender, recipient, data or message."""

    step: str
    code: int
    text: bytes = b""

    @property
    def is_good(self) -> bool:
        return self.code == _GO_ON if self.step == "data" else 200 <= self.code < 300

    @property
    def is_reply(self) -> bool:
        """Whether it says yes or no, rather than nothing that can be read."""
        return self.is_good or 400 <= self.code < 600

    def __str__(self) -> str:
        return f"smtp: {self.step} was answered {self.code}{self._enhanced and ' '}{self._enhanced}"

    def meaning(self) -> HeadraceError:
        """Return a bad reply as one of our errors; the message was certainly not taken."""
        if not 500 <= self.code < 600:
            return NotTaken(str(self))
        if self.code in _SIGN_IN:
            return Misconfigured(f"{self}: the server wants another user or password")
        if self.step in ("greet", "sign in") or (self.step == "sender" and not self._is_too_large):
            return Misconfigured(f"{self}: the server takes no mail of this sender")
        return Refused(str(self), is_address=self._is_address)

    @property
    def _enhanced(self) -> str:
        found = _ENHANCED.match(self.text)
        return found.group(1).decode() if found else ""

    @property
    def _is_too_large(self) -> bool:
        return self.code == _TOO_LARGE

    @property
    def _is_address(self) -> bool:
        """Whether there is no such mailbox, rather than one that is full or does not want us."""
        if self.step != "recipient":
            return False
        if self._enhanced:
            return self._enhanced.startswith("5.1.")
        return self.code in _NO_MAILBOX
