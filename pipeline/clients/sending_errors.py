"""Why a message was not sent, told apart by whether it may be sent again.

    Transient
    ├── NotTaken     certainly not sent: send it again later
    └── Unanswered   may have been sent: ask the provider before it is sent again
    Permanent
    └── Refused      certainly not sent, and would be refused again

A send may also raise RateLimited and Misconfigured of `pipeline.errors`: certainly not sent.
Messages carry a provider's status and codes, never its text, which names recipients.
"""

from __future__ import annotations

from pipeline.errors import Permanent, Transient


class NotTaken(Transient):
    """The provider has certainly not taken the message; a later try may go through."""


class Unanswered(Transient):
    """The provider may have taken the message: the answer is missing or says nothing."""


class Refused(Permanent):
    """The provider has refused this message for good.

    `is_address`: the recipient's address is what is wrong, so nothing will ever reach it.
    `is_opt_out`: the recipient has told the provider that nothing more be sent.
    """

    def __init__(self, message: str, *, is_address: bool = False, is_opt_out: bool = False) -> None:
        super().__init__(message)
        self.is_address = is_address
        self.is_opt_out = is_opt_out
