"""How a mail program fetches what a message refers to: from this machine only."""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

import requests

from pipeline.sandbox.push.addresses import is_loopback

#: No answer, as a status.
NO_ANSWER = 0
#: The address is not on this machine: nobody was asked.
NOT_HERE = -1

READER_AGENT = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)"
)
#: What Apple's mail privacy protection calls itself when it loads images for everybody.
MACHINE_AGENT = "Mozilla/5.0"

_MOST_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)


def get(session: requests.Session, url: str, agent: str, timeout_seconds: float) -> int:
    """Fetch an address and follow where it leads, as far as that is on this machine.

    Returns the last status, NO_ANSWER or NOT_HERE.
    """
    status = NOT_HERE
    for _ in range(_MOST_REDIRECTS):
        if not _is_here(url):
            break
        try:
            answer = session.get(
                url, headers={"user-agent": agent}, timeout=timeout_seconds, allow_redirects=False
            )
        except requests.RequestException:
            return NO_ANSWER
        status = answer.status_code
        if status not in _REDIRECTS or "location" not in answer.headers:
            break
        url = urljoin(url, answer.headers["location"])
    return status


def unsubscribe(session: requests.Session, url: str, timeout_seconds: float) -> int:
    """Unsubscribe by one click: no cookies, no redirects, this one form.

    https://www.rfc-editor.org/rfc/rfc8058#section-3.2
    """
    if not _is_here(url):
        return NOT_HERE
    form = {"List-Unsubscribe": "One-Click"}
    try:
        answer = session.post(url, data=form, timeout=timeout_seconds, allow_redirects=False)
    except requests.RequestException:
        return NO_ANSWER
    return answer.status_code


def _is_here(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in ("http", "https") and is_loopback(parts.hostname or "")
