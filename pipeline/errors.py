"""The error tree, named by what happens next.

    HeadraceError
    ├── Transient         try again with backoff; the state becomes due again
    │   └── Changed       somebody has changed the item meanwhile: read it again first
    ├── RateLimited       wait until the scope may call again; costs no attempt
    ├── Unfinished        a part is done: go on behind the others; costs no attempt
    ├── CursorExpired     list the stream in full under a new generation
    ├── ReauthRequired    the connection needs its user; its schedules stop
    ├── Misconfigured     an operator must act; users are not marked
    ├── Gone              one item or stream is not there any more: skip, count
    ├── Permanent         trying again cannot help: dead letter at once
    │   └── NotPushed     the provider pushes no changes of this resource: it is polled
    └── LeaseLost         another run holds the work: stop, change nothing

Those of sending messages are below Transient and Permanent: `pipeline.clients.sending_errors`.
An exception outside this tree counts as Transient until its attempts are spent.
Messages never carry credentials, addresses or request URLs.
"""


class HeadraceError(Exception):
    """Base of every error that Headrace raises on purpose."""


class Transient(HeadraceError):
    """A store, the network or a provider failed in a way that usually passes."""


class Changed(Transient):
    """The item is not any more as it was read, so the conditional change was not made."""


class RateLimited(HeadraceError):
    """The provider, or our own quota ledger, asked us to wait.

    `scope` says who waits: "user", "project" or "day".
    """

    def __init__(self, message: str, *, retry_after_seconds: float, scope: str = "user") -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds
        self.scope = scope


class Unfinished(HeadraceError):
    """The job did a part and wants to go on behind the others; this costs no attempt.

    Not a failure: the way for long work to leave its worker thread to others.
    """

    def __init__(self, delay_seconds: float = 0.0) -> None:
        super().__init__("a part is done; the rest follows")
        self.delay_seconds = delay_seconds


class CursorExpired(HeadraceError):
    """The provider no longer knows the cursor, or it does not fit the request."""


class ReauthRequired(HeadraceError):
    """The grant is revoked, expired or too narrow; only its user can mend it."""


class Misconfigured(HeadraceError):
    """A setting, key or client registration is wrong; only an operator can mend it."""


class Gone(HeadraceError):
    """The provider says that the item or stream does not exist."""


class Permanent(HeadraceError):
    """The request was understood and refused; the same request will be refused again."""


class NotPushed(Permanent):
    """The provider pushes no changes of this resource; it must be asked."""


class LeaseLost(HeadraceError):
    """Another run took over; whatever this one still wanted to write is refused."""
