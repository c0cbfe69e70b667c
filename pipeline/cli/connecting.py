"""What `headrace connect` and the demo of `headrace up` have in common."""

from __future__ import annotations

from typing import Any

from pipeline import connect, dispatch
from pipeline.cli.exits import WrongUse
from pipeline.cli.names import suggestion
from pipeline.config import settings
from pipeline.errors import Misconfigured, Permanent
from pipeline.probes import redis_problem
from pipeline.sandbox.client import SandboxClient


def sandbox_grant(user_id: str, provider: str = "google") -> dict[str, Any]:
    """Return a grant of the sandbox's user of the same id, in the form that connecting takes."""
    url = settings().google_api_base_url
    if not url:
        raise Misconfigured("GOOGLE_API_BASE_URL is empty; it must name a running sandbox")
    if provider == "microsoft" and settings().microsoft_login_base_url != url:
        raise Misconfigured("MICROSOFT_LOGIN_BASE_URL must name the same sandbox")
    sandbox = SandboxClient(url)
    try:
        names = [user.user for user in sandbox.users()]
        if user_id not in names:
            hint = suggestion(user_id, names)
            raise WrongUse(f"the sandbox has no user {user_id!r}{hint}")
        if provider == "microsoft":
            sandbox.add_mailboxes([user_id])
            return sandbox.microsoft_grant(user_id)
        return sandbox.authorized_user(user_id)
    finally:
        sandbox.close()


def check_user_id(user_id: str) -> None:
    """Raise WrongUse if `user_id` may not name a new user."""
    try:
        connect.check_user_id(user_id)
    except Permanent as error:
        raise WrongUse(str(error)) from None


def look_for_due_now() -> bool:
    """Have a worker look for who is due, instead of at the next tick; False without Redis."""
    if redis_problem():
        return False
    for job in ("dispatch", "dispatch_mailboxes"):
        dispatch.send(job)
    return True
