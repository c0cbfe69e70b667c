"""What is around Headrace: settings, providers and the ports of /metrics."""

from __future__ import annotations

import os
from collections.abc import Iterator
from difflib import get_close_matches

import requests

from pipeline.cli.doctor.findings import Finding, note, ok, wrong
from pipeline.clients.google_methods import APIS
from pipeline.config import Settings, env_name, settings
from pipeline.errors import Misconfigured
from pipeline.schedules import SCHEDULES, trigger

_PATIENCE_SECONDS = 5.0
#: So alike that a name in the environment is a misspelt setting, and not somebody else's.
_ALIKE = 0.85


def check_settings() -> Iterator[Finding]:
    """Yield wrong settings, and variables that look like misspelt ones."""
    try:
        settings()
    except Misconfigured as error:
        for line in str(error).splitlines()[1:]:
            name, _, problem = line.strip().partition(": ")
            yield wrong(name, problem, f"correct {name.partition('=')[0]}; `headrace settings`")
    else:
        yield from _schedules()
        yield ok("settings", "all can be read")
    known = {env_name(field) for field in Settings.model_fields}
    for name in sorted(set(map(str.upper, os.environ)) - known):
        near = get_close_matches(name, known, n=1, cutoff=_ALIKE)
        if near:
            yield wrong(name, "is no setting", f"did you mean {near[0]}?")


def _schedules() -> Iterator[Finding]:
    for schedule in SCHEDULES:
        try:
            trigger(schedule, settings())
        except Misconfigured as error:
            name, _, problem = str(error).partition(": ")
            yield wrong(name, problem, "such as */5 * * * *: minute, hour, day, month, weekday")


def check_providers() -> Iterator[Finding]:
    """Yield whether providers answer at all; asks without credentials: a refusal is an answer."""
    base = settings().google_api_base_url or APIS["calendar"].root_url
    yield _reachable(
        "Google APIs", "GOOGLE_API_BASE_URL", f"{base}/calendar/v3/users/me/calendarList"
    )
    oauth = settings().google_oauth_base_url
    yield _reachable("Google sign-in", "GOOGLE_OAUTH_BASE_URL", f"{oauth}/token")
    yield from _check_microsoft()


def _check_microsoft() -> Iterator[Finding]:
    """Yield the same of Microsoft, for whom mailboxes are connected, or can be."""
    now = settings()
    secret = now.microsoft_client_secret.get_secret_value()
    if not (now.microsoft_client_id or secret):
        mend = "set MICROSOFT_CLIENT_ID and MICROSOFT_CLIENT_SECRET to connect Microsoft 365"
        yield note("Microsoft", "no application is set: mailboxes cannot be connected", mend)
        return
    if not (now.microsoft_client_id and secret):
        yield wrong("Microsoft", "half of the application is set", "set its id and its secret")
    graph, login = now.microsoft_graph_base_url, now.microsoft_login_base_url
    yield _reachable("Microsoft Graph", "MICROSOFT_GRAPH_BASE_URL", f"{graph}/v1.0/me")
    discovery = f"{login}/{now.microsoft_tenant}/v2.0/.well-known/openid-configuration"
    yield _reachable("Microsoft sign-in", "MICROSOFT_LOGIN_BASE_URL", discovery)


def _reachable(about: str, setting: str, url: str) -> Finding:
    try:
        status = requests.get(url, timeout=_PATIENCE_SECONDS, allow_redirects=False).status_code
    except requests.RequestException as error:
        mend = f"check network, proxy and {setting}"
        return wrong(about, f"no answer ({type(error).__name__})", mend)
    if status >= requests.codes.server_error:
        return wrong(about, f"answers with {status}", "wait, or look at the provider's status page")
    return ok(about, f"answers ({status} without credentials)")


def check_metrics() -> Iterator[Finding]:
    """Yield who serves /metrics on this machine."""
    for role, port in (
        ("worker", settings().worker_metrics_port),
        ("scheduler", settings().scheduler_metrics_port),
    ):
        yield _metrics(f"{role} metrics", f"{role.upper()}_METRICS_PORT", port)


def _metrics(about: str, setting: str, port: int) -> Finding:
    if not port:
        return note(about, f"switched off by {setting}=0")
    url = f"http://{settings().metrics_host}:{port}/metrics"
    try:
        with requests.Session() as session:
            session.trust_env = False
            text = session.get(url, timeout=_PATIENCE_SECONDS).text
    except requests.ConnectionError:
        return note(about, f"nobody listens on port {port}: it does not run on this machine")
    except requests.RequestException as error:
        return wrong(about, f"port {port}: {type(error).__name__}", f"set {setting} to a free port")
    if "headrace_" not in text:
        mend = f"set {setting} to a free port"
        return wrong(about, f"another program listens on port {port}", mend)
    return ok(about, f"served on port {port}")
