"""The web on a real port, and Google as the sandbox."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest
import uvicorn
from visits import Visits
from waiting import wait_until

from pipeline.sandbox.client import SandboxClient
from pipeline.sandbox.grants import CLIENT_ID, CLIENT_SECRET


@pytest.fixture(scope="session")
def web_url(servers: dict[str, str]) -> Iterator[str]:
    """The address of the web, served by a thread of this process."""
    from pipeline.web.app import create_app
    from pipeline.web.server import bind

    listening = bind("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(create_app(), log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, name="web")
    thread.start()
    wait_until(lambda: server.started, "the web listens")
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    thread.join()
    listening.close()


@pytest.fixture
def visits(sandbox: SandboxClient, web_url: str, setting: Callable[..., None]) -> Visits:
    """The settings of a web that connects accounts of the sandbox, and who visits it."""
    setting(
        PUBLIC_BASE_URL=web_url,
        GOOGLE_ACCOUNTS_BASE_URL=sandbox.base_url,
        GOOGLE_CERTS_URL=f"{sandbox.base_url}/oauth2/v1/certs",
        GOOGLE_CLIENT_ID=CLIENT_ID,
        GOOGLE_CLIENT_SECRET=CLIENT_SECRET,
        CONNECT_RETURN_ORIGINS="https://app.example, http://localhost:3000",
        PROVIDER_TIMEOUT_SECONDS=5,
    )
    return Visits(web_url, sandbox)
