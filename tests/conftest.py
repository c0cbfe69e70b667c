"""Real servers for the tests: MongoDB, Redis and the graph, each started once per session."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest
from waiting import answers, wait_until

from pipeline.config import settings
from pipeline.worker_metrics import FOLDER_VARIABLE

if TYPE_CHECKING:
    from pipeline.sandbox.client import SandboxClient

#: Stores of somebody else's that the tests run against instead, for example in CI.
STORES = {"redis": "REDIS_URL", "mongodb": "MONGODB_URI", "graph": "GRAPH_URI"}

Setting = Callable[..., None]

# How fast a machine is that others use too is no property of what is tested.
hypothesis.settings.register_profile("headrace", deadline=None, max_examples=40)
hypothesis.settings.register_profile("thorough", deadline=None, max_examples=300)
hypothesis.settings.load_profile("headrace")


@pytest.fixture(autouse=True)
def no_metrics_folder() -> None:
    """Processes of this test share no folder with those of a test that imported `actors`."""
    os.environ.pop(FOLDER_VARIABLE, None)


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of this session's servers."""
    return tmp_path_factory.mktemp("headrace")


@pytest.fixture(scope="session")
def servers(data_dir: Path) -> Iterator[dict[str, str]]:
    """The settings of running stores: those that are set, the others embedded."""
    from pipeline import embedded
    from pipeline.clients.keyring import new_key

    missing = [name for name, setting in STORES.items() if setting not in os.environ]
    with embedded.start(data_dir, missing) as running:
        before = dict(os.environ)
        os.environ.update(
            {
                "HEADRACE_DATA_DIR": str(data_dir),
                "ENCRYPTION_KEYS": new_key(),
                "WORKER_METRICS_PORT": "0",
                "SCHEDULER_METRICS_PORT": "0",
                **running.settings,
            }
        )
        settings.cache_clear()
        given = set(STORES) - set(missing)
        if given and "PYTEST_XDIST_WORKER" in os.environ:
            pytest.exit(
                "test processes cannot share the stores that are set: "
                "TEST_PROCESSES=0 BROWSER_PROCESSES=0"
            )
        require_empty(given)
        yield running.settings
        empty(given)
        os.environ.clear()
        os.environ.update(before)


def require_empty(stores: set[str]) -> None:
    """Fail unless these stores, which somebody lent us, are empty: tests delete all there is."""
    from pipeline.clients import graph
    from pipeline.stores import mongodb, redis_client

    held = {
        "redis": lambda: redis_client().dbsize(),
        "mongodb": lambda: len(mongodb().list_collection_names()),
        "graph": lambda: graph.read("MATCH (n) RETURN count(n) AS nodes")[0]["nodes"],
    }
    for store in sorted(stores):
        if held[store]():
            pytest.exit(f"{STORES[store]} names a database that is not empty; the tests empty it")


def empty(stores: set[str]) -> None:
    """Give these stores back as they were."""
    from pipeline.clients import graph
    from pipeline.stores import mongodb, redis_client

    if "redis" in stores:
        redis_client().flushdb()
    if "mongodb" in stores:
        mongodb().client.drop_database(mongodb().name)
    if "graph" in stores:
        graph.write(lambda run: run("MATCH (n) DETACH DELETE n"))


def ensure_indexes() -> None:
    """Make the indexes unless all are there: to ask for each takes longer than most tests."""
    import models
    from pipeline.stores import mongodb

    def count() -> int:
        return int(mongodb().command("dbStats")["indexes"])

    if _INDEXES.get(mongodb().name) != count():
        models.ensure_indexes()
        _INDEXES[mongodb().name] = count()


#: How many indexes a database has once all are made.
_INDEXES: dict[str, int] = {}


@pytest.fixture
def stores(servers: dict[str, str]) -> None:
    """Empty stores with their indexes."""
    import models
    from pipeline.outreach.link_secret import link_secret
    from pipeline.projections import graph
    from pipeline.projections.search.mongodb import MongoDBSearch
    from pipeline.stores import collection, mongodb, redis_client

    settings.cache_clear()
    link_secret.cache_clear()
    mongodb()
    ensure_indexes()
    for user_id in collection(models.SyncState).distinct("user_id"):
        graph.wipe(user_id)
    if (index := MongoDBSearch().current()) is not None:
        mongodb()[index].delete_many({})
    for model in models.ALL:
        if model is not models.SearchIndex:  # which names the collection that stays
            collection(model).delete_many({})
    redis_client().flushdb()


@pytest.fixture
def setting(monkeypatch: pytest.MonkeyPatch) -> Iterator[Setting]:
    """Set settings for one test: `setting(LEASE_SECONDS=5)`."""

    def change(**values: Any) -> None:
        for name, value in values.items():
            monkeypatch.setenv(name, str(value))
        settings.cache_clear()

    yield change
    monkeypatch.undo()
    settings.cache_clear()


@pytest.fixture(scope="session")
def sandbox_url(servers: dict[str, str], data_dir: Path) -> Iterator[str]:
    """The address of a sandbox process; the settings point at it."""
    from pipeline.embedded import Ports
    from pipeline.sandbox import outreach
    from pipeline.sandbox.client import SandboxClient
    from pipeline.sandbox.microsoft import MICROSOFT_CLIENT_ID, MICROSOFT_CLIENT_SECRET

    ports = Ports(data_dir)
    port = ports.port_for("sandbox")
    url, smtp_port = f"http://127.0.0.1:{port}", ports.port_for("sandbox_smtp")
    command = [sys.executable, "-m", "pipeline.sandbox", "--port", str(port)]
    command += ["--smtp-port", str(smtp_port)]
    process = subprocess.Popen([*command, "--data", str(data_dir / "sandbox.sqlite3")])
    client = SandboxClient(url)
    try:
        wait_until(lambda: answers(client), "the sandbox answers")
        os.environ.update(
            {
                "GOOGLE_API_BASE_URL": url,
                "GOOGLE_OAUTH_BASE_URL": url,
                "MICROSOFT_GRAPH_BASE_URL": url,
                "MICROSOFT_LOGIN_BASE_URL": url,
                "MICROSOFT_CLIENT_ID": MICROSOFT_CLIENT_ID,
                "MICROSOFT_CLIENT_SECRET": MICROSOFT_CLIENT_SECRET,
                "SENDGRID_API_BASE_URL": url,
                "SENDGRID_API_KEY": outreach.SENDGRID_API_KEY,
                "SENDGRID_WEBHOOK_PUBLIC_KEYS": outreach.SENDGRID_WEBHOOK_PUBLIC_KEY,
                "TWILIO_API_BASE_URL": url,
                "TWILIO_ACCOUNT_SID": outreach.TWILIO_ACCOUNT_SID,
                "TWILIO_AUTH_TOKEN": outreach.TWILIO_AUTH_TOKEN,
                "SMTP_URL": f"smtp://{outreach.SMTP_USER}:{outreach.SMTP_PASSWORD}@127.0.0.1:{smtp_port}",
            }
        )
        settings.cache_clear()
        yield url
    finally:
        client.close()
        process.terminate()
        process.wait(10)


@pytest.fixture
def sandbox(stores: None, sandbox_url: str) -> Iterator[SandboxClient]:
    """The sandbox without users, faults or quotas; the stores are empty too."""
    from pipeline.sandbox.client import SandboxClient

    client = SandboxClient(sandbox_url)
    for user in client.users():
        client.delete_user(user.user)
    client.clear_faults()
    client.clear_usage()
    client.clear_pushes()
    client.clear_topics()
    client.clear_outreach()
    client.reset_clock()
    client.settings(
        quotas_enabled=False,
        quota_scale=1.0,
        access_token_seconds=3600,
        sendgrid_activity_enabled=True,
    )
    yield client
    client.close()
