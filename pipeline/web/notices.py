"""How an action tells what it came to: to scripts in a header, to people on the page that follows.

Of a field that is wrong the script is told which it is, so that it can say so beside the field.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

#: Cookie with what an action without scripts had to say, for the page that follows.
FLASH_COOKIE = "headrace_flash"
_FLASH_SECONDS = 20


def notice(
    request: Request, status: int, kind: str, text: str, *, location: str = "", field: str = ""
) -> Response:
    """Answer an action; `location` is where the visitor goes next, empty to stay."""
    told = {"kind": kind, "text": text}
    if request.headers.get("HX-Request") and not location:
        headers = {"HX-Trigger": json.dumps(_events(told, field))}
        return Response(status_code=status, headers=headers)
    if request.headers.get("HX-Request"):
        response = Response(status_code=status, headers={"HX-Redirect": location})
    else:
        response = RedirectResponse(location or _referer(request), 303)
    cookie = json.dumps(told)
    response.set_cookie(FLASH_COOKIE, cookie, _FLASH_SECONDS, path="/admin", httponly=True)
    return response


def _events(told: dict[str, str], field: str) -> dict[str, Any]:
    """Return what happens in the page: by its field alone, or as a notice."""
    if field:
        return {"field": {"name": field, "text": told["text"]}}
    return {"notice": told, "refresh": True}


def flash_of(request: Request) -> dict[str, str] | None:
    """Return what the action before this page had to say."""
    try:
        flash = json.loads(request.cookies.get(FLASH_COOKIE, ""))
        return {"kind": str(flash["kind"]), "text": str(flash["text"])}
    except (ValueError, TypeError, KeyError):
        return None


def _referer(request: Request) -> str:
    """Return the page that the form was on; only its path counts, the host is ours."""
    path = urlsplit(request.headers.get("referer", ""))
    local = path.path.startswith("/admin") and not path.path.startswith("//")
    return path._replace(scheme="", netloc="").geturl() if local else "/admin/queues"
