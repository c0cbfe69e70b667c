"""How mail is written on the wire."""

from __future__ import annotations

from email.policy import EmailPolicy
from typing import Any

#: https://www.rfc-editor.org/rfc/rfc5322#section-2.1.1
_LONGEST_LINE = 998


class _MailPolicy(EmailPolicy):
    """Leaves headers in ASCII as they are.

    Folded, one long word, such as the link to unsubscribe, becomes an encoded word that nobody
    decodes there: https://github.com/python/cpython/issues/79986
    """

    def fold(self, name: str, value: Any) -> str:
        line = f"{name}: {value}"
        if line.isascii() and len(line) <= _LONGEST_LINE:
            return f"{line}{self.linesep}"
        return str(super().fold(name, value))

    def fold_binary(self, name: str, value: Any) -> bytes:
        return self.fold(name, value).encode("ascii", "surrogateescape")


#: In 7 bits, which every server takes.
MAIL_POLICY = _MailPolicy(linesep="\r\n", cte_type="7bit")
