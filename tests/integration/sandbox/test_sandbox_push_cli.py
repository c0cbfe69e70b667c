"""Topics and pushes from the command line."""

from __future__ import annotations

import json
import socket
import subprocess
import sys

import pytest
from typer.testing import CliRunner
from waiting import answers, wait_until

from pipeline.cli.exits import WrongUse
from pipeline.cli.sandbox import app
from pipeline.sandbox.client import SandboxClient, SandboxError

TOPIC = "projects/headrace-sandbox/topics/gmail"
ENDPOINT = "http://127.0.0.1:8080/webhooks/google/gmail"


@pytest.fixture
def run(sandbox, receiver):
    def call(*arguments: str) -> dict:
        options = ["--url", sandbox.base_url, "--json"]
        result = CliRunner().invoke(app, [*arguments, *options], catch_exceptions=False)
        assert result.exit_code == 0
        return json.loads(result.stdout)

    yield call
    sandbox.clear_topics()


def test_a_topic_is_made_listed_and_removed(run):
    (made,) = run("topic", TOPIC, "--endpoint", ENDPOINT, "--audience", "ours")["topics"]
    assert (made["endpoint"], made["audience"]) == (ENDPOINT, "ours")
    assert run("topic")["topics"] == [made]
    assert run("topic", "--clear") == {"topics": []}


def test_pushes_are_counted(run, sandbox, new_user, sign_in, receiver):
    run("topic", TOPIC, "--endpoint", f"{receiver.url}/gmail")
    google = sign_in(new_user())
    google.gmail.watch(userId="me", body={"topicName": TOPIC}).execute()
    sandbox.wait_until_quiet()
    counted = run("pushes", "--clear")
    assert (counted["waiting"], counted["outcomes"]) == (0, {"sent": 1})
    assert run("pushes")["pushes"] == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["topic", TOPIC],
        ["topic", "--endpoint", ENDPOINT],
        ["topic", TOPIC, "--endpoint", ENDPOINT, "--clear"],
        ["--topic", "nonsense"],
    ],
)
def test_what_does_not_fit_together_is_wrong_use(arguments):
    with pytest.raises(WrongUse):
        CliRunner().invoke(app, arguments, catch_exceptions=False, standalone_mode=False)


def test_a_wrong_topic_is_refused_by_the_sandbox(run):
    with pytest.raises(SandboxError, match="topic:"):
        run("topic", "gmail", "--endpoint", ENDPOINT)


def test_a_sandbox_does_not_start_with_a_wrong_topic():
    command = [sys.executable, "-m", "pipeline.sandbox", "--data", ":memory:", "--topic"]
    ended = subprocess.run([*command, "gmail=nonsense"], capture_output=True, text=True)
    assert ended.returncode == 2
    assert "topic: needs a name like" in ended.stderr


def test_a_sandbox_starts_with_its_topics():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "pipeline.sandbox", "--data", ":memory:", "--port", str(port)]
    started = subprocess.Popen([*command, "--topic", f"{TOPIC}={ENDPOINT}"])
    client = SandboxClient(f"http://127.0.0.1:{port}")
    try:
        wait_until(lambda: answers(client), "the sandbox answers")
        assert [topic["endpoint"] for topic in client.topics()] == [ENDPOINT]
    finally:
        client.close()
        started.terminate()
        assert started.wait(10) == 0
