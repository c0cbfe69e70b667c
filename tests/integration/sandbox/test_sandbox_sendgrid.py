"""SendGrid's API as its own client library and its documents know it."""

from __future__ import annotations

import json
import time

import pytest
import requests
import sendgrid
from python_http_client.exceptions import ForbiddenError, HTTPError, UnauthorizedError
from sendgrid.helpers import mail
from typer.testing import CliRunner
from waiting import wait_until

from pipeline.cli.sandbox import app
from pipeline.sandbox.outreach import SENDGRID_API_KEY

SENDER = "sales@sandbox.example"


@pytest.fixture(autouse=True)
def clean(sandbox):
    sandbox.clear_outreach()
    yield
    sandbox.clear_outreach()


@pytest.fixture
def client(sandbox):
    return _client(sandbox, SENDGRID_API_KEY)


def _client(sandbox, key):
    made = sendgrid.SendGridAPIClient(key, host=sandbox.base_url)
    made.client.timeout = 10
    return made


def _mail(to="ada@example.org", **changes):
    built = mail.Mail(
        from_email=mail.From(SENDER, "Sales"),
        to_emails=to,
        subject="Hello",
        plain_text_content="Hi there",
        html_content='<p>Hi <a href="https://example.org/a">there</a></p>',
    )
    return built.get() | changes


def _post(sandbox, body, key=SENDGRID_API_KEY, **options):
    headers = {"authorization": f"Bearer {key}"} if key else {}
    return requests.post(
        f"{sandbox.base_url}/v3/mail/send", json=body, headers=headers, timeout=10, **options
    )


def test_a_mail_arrives_with_all_that_was_said_of_it(sandbox, client):
    built = mail.Mail(mail.From(SENDER, "Sales"), "Ada@Example.org", "Hello {name}", "Hi", "<p>Hi")
    built.add_custom_arg(mail.CustomArg("outbound_message_id", "m1"))
    built.add_category(mail.Category("campaign"))
    built.add_header(mail.Header("List-Unsubscribe", "<http://127.0.0.1:1/u/x>"))
    built.add_header(mail.Header("Message-ID", "<m1@headrace>"))
    built.reply_to = mail.ReplyTo("me@example.org", "Me")
    answer = client.send(built)
    assert answer.status_code == 202
    assert answer.body == b""
    [message] = sandbox.inbox("ada@example.ORG")
    assert message["provider_id"] == answer.headers["X-Message-Id"]
    assert message["from"] == "Sales <sales@sandbox.example>"
    assert (message["subject"], message["text"], message["html"]) == ("Hello {name}", "Hi", "<p>Hi")
    assert message["custom_args"] == {"outbound_message_id": "m1"}
    assert message["categories"] == ["campaign"]
    assert message["headers"]["Message-ID"] == "<m1@headrace>"
    assert message["headers"]["Reply-To"] == "Me <me@example.org>"
    assert message["headers"]["List-Unsubscribe"] == "<http://127.0.0.1:1/u/x>"
    assert message["status"] == "delivered"
    assert int(answer.headers["X-RateLimit-Remaining"]) > 0


def test_every_recipient_of_every_personalization_gets_one(sandbox, client):
    people = [
        {"to": [{"email": "a@example.org"}], "cc": [{"email": "b@example.org"}]},
        {
            "to": [{"email": "c@example.org"}],
            "subject": "For C",
            "custom_args": {"n": "3"},
            "substitutions": {"there": "C"},
        },
    ]
    body = _mail(personalizations=people, custom_args={"n": "1", "k": "v"})
    client.client.mail.send.post(request_body=body)
    found = {message["to"]: message for message in sandbox.inbox()}
    assert sorted(found) == ["a@example.org", "b@example.org", "c@example.org"]
    assert found["c@example.org"]["subject"] == "For C"
    assert found["c@example.org"]["text"] == "Hi C"
    assert found["c@example.org"]["custom_args"] == {"n": "3", "k": "v"}
    assert found["b@example.org"]["headers"]["Cc"] == "b@example.org"
    assert [row["to"] for row in sandbox.outreach_truth()] == [row["to"] for row in sandbox.inbox()]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"personalizations": []}, "personalizations"),
        ({"personalizations": [{"to": []}]}, "personalizations.0.to"),
        ({"personalizations": [None]}, "personalizations.0"),
        ({"personalizations": [{"to": [{"email": "x"}]}]}, "personalizations.0.to.0.email"),
        ({"personalizations": [{"to": [{"email": "a@b.cd"}] * 2}]}, "personalizations.0"),
        ({"personalizations": [{"to": [{"email": "a@b.cd"}]}] * 1001}, "personalizations"),
        ({"from": {}}, "from.email"),
        ({"from": {"email": "jürgen@b.cd"}}, "from.email"),
        ({"reply_to": {"email": "x"}}, "reply_to.email"),
        ({"subject": ""}, "subject"),
        ({"content": []}, "content"),
        ({"content": [{"type": "text/plain", "value": ""}]}, "content.0.value"),
        ({"content": [{"type": "text/html", "value": "x"}, {"type": "text/plain", "value": "x"}]},
         "content"),
        ({"custom_args": {"x": "y" * 10_000}}, "custom_args"),
        ({"categories": ["a", "a"]}, "categories"),
        ({"headers": {"Subject": "x"}}, "headers.Subject"),
        ({"template_id": "d-1"}, "template_id"),
        ({"send_at": int(time.time()) + 1000 * 3600}, "send_at"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_refused_by_field(sandbox, changes, field):
    answer = _post(sandbox, _mail(**changes))
    assert answer.status_code == 400
    errors = answer.json()["errors"]
    assert [error["field"] for error in errors] == [field]
    assert all(set(error) == {"message", "field", "help"} for error in errors)
    assert sandbox.inbox() == []


def test_who_asks_has_to_be_known(sandbox):
    assert _post(sandbox, _mail(), key="").status_code == 401
    unknown = _client(sandbox, "SG.unknown")
    with pytest.raises(UnauthorizedError) as refused:
        unknown.send(_mail())
    assert json.loads(refused.value.body)["errors"][0]["message"].startswith("The provided auth")
    sandbox.sendgrid_key("SG.reader", ["whitelabel.read"])
    with pytest.raises(ForbiddenError):
        _client(sandbox, "SG.reader").send(_mail())
    sandbox.sendgrid_key(SENDGRID_API_KEY, [])
    with pytest.raises(UnauthorizedError):
        _client(sandbox, SENDGRID_API_KEY).send(_mail())


def test_only_verified_senders_send(sandbox, client):
    foreign = _mail() | {"from": {"email": "me@elsewhere.example"}}
    with pytest.raises(ForbiddenError) as refused:
        client.client.mail.send.post(request_body=foreign)
    assert json.loads(refused.value.body)["errors"][0]["field"] == "from"
    sandbox.sendgrid_sender("me@elsewhere.example", verified=False)
    assert _post(sandbox, foreign).status_code == 403
    sandbox.sendgrid_sender("me@elsewhere.example")
    assert _post(sandbox, foreign).status_code == 202
    senders = json.loads(client.client.verified_senders.get().body)["results"]
    assert [(row["from_email"], row["verified"]) for row in senders] == [
        ("me@elsewhere.example", True)
    ]
    sandbox.sendgrid_domain("later.example", verified=False)
    domains = json.loads(client.client.whitelabel.domains.get().body)
    assert {row["domain"]: row["valid"] for row in domains} == {
        "sandbox.example": True,
        "later.example": False,
    }
    assert "mail.send" in json.loads(client.client.scopes.get().body)["scopes"]


def test_a_trial_is_checked_and_not_sent(sandbox):
    trial = _mail(mail_settings={"sandbox_mode": {"enable": True}})
    assert _post(sandbox, trial).status_code == 200
    assert _post(sandbox, trial | {"subject": ""}).status_code == 400
    assert sandbox.inbox() == []


def test_too_large_and_no_json(sandbox):
    answer = requests.post(
        f"{sandbox.base_url}/v3/mail/send",
        data=b"x" * 30_000_001,
        headers={"authorization": f"Bearer {SENDGRID_API_KEY}"},
        timeout=10,
    )
    assert answer.status_code == 413
    assert _post(sandbox, [1]).json()["errors"][0]["message"] == "Bad Request"


def test_activity_finds_a_mail_by_its_arguments(sandbox, client):
    for number in range(3):
        args = {"outbound_message_id": f"m{number}"}
        client.client.mail.send.post(request_body=_mail(f"r{number}@x.example", custom_args=args))

    def search(query):
        answer = client.client.messages.get(query_params={"query": query, "limit": 10})
        return [row["to_email"] for row in json.loads(answer.body)["messages"]]

    assert search("""(unique_args['outbound_message_id']="m1")""") == ["r1@x.example"]
    assert search('unique_args["outbound_message_id"]="m9"') == []
    assert search('from_email LIKE "%sales@%" AND to_email="r2@x.example"') == ["r2@x.example"]
    first = sandbox.inbox("r0@x.example")[0]
    assert search(f'msg_id LIKE "{first["provider_id"]}%"') == ["r0@x.example"]
    with pytest.raises(HTTPError) as refused:
        search("nonsense")
    assert refused.value.status_code == 400
    sandbox.settings(sendgrid_activity_enabled=False)
    try:
        with pytest.raises(ForbiddenError):
            search('to_email="r2@x.example"')
    finally:
        sandbox.settings(sendgrid_activity_enabled=True)


def test_the_account_has_a_budget(sandbox):
    sandbox.settings(quotas_enabled=True, sendgrid_requests_per_minute=1)
    try:
        answers = [_post(sandbox, _mail()) for _ in range(3)]
        assert answers[-1].status_code == 429
        assert answers[-1].headers["X-RateLimit-Remaining"] == "0"
        assert 0 < int(answers[-1].headers["X-RateLimit-Reset"]) - time.time() <= 61
    finally:
        sandbox.settings(quotas_enabled=False, sendgrid_requests_per_minute=600_000)


def test_faults_before_the_mail_is_taken(sandbox):
    match = {"api": "sendgrid", "method": "mail.send", "user": "ada@*"}
    sandbox.fault("status", match=match, params={"code": 429, "retry_after": 7})
    sandbox.fault("status", match=match, params={"code": 503})
    sandbox.fault("drop", match=match, params={"when": "before"})
    assert _post(sandbox, _mail("bob@x.example")).status_code == 202
    limited = _post(sandbox, _mail())
    assert limited.status_code == 429
    assert 5 < int(limited.headers["X-RateLimit-Reset"]) - time.time() <= 8
    assert _post(sandbox, _mail()).json()["errors"][0]["message"] == "Backend Error"
    with pytest.raises(requests.RequestException):
        _post(sandbox, _mail())
    assert [message["to"] for message in sandbox.inbox()] == ["bob@x.example"]


def test_faults_after_the_mail_was_taken(sandbox):
    match = {"api": "sendgrid"}
    sandbox.fault("drop", match=match)
    sandbox.fault("status", match=match, params={"code": 500, "when": "after"})
    sandbox.fault("hang", match=match, params={"seconds": 0.5})
    with pytest.raises(requests.RequestException):
        _post(sandbox, _mail("a@x.example"))
    assert _post(sandbox, _mail("b@x.example")).status_code == 500
    with pytest.raises(requests.Timeout):
        requests.post(
            f"{sandbox.base_url}/v3/mail/send",
            json=_mail("c@x.example"),
            headers={"authorization": f"Bearer {SENDGRID_API_KEY}"},
            timeout=0.2,
        )
    wait_until(lambda: len(sandbox.inbox()) == 3, "the mails are there", every_seconds=0.01)


def test_the_inbox_is_shown_at_the_command_line(sandbox):
    for number in range(3):
        _post(sandbox, _mail(f"r{number}@x.example"))
    opened = sandbox.inbox("r2@x.example")[0]
    sandbox.recipient_act(opened["id"], "open")

    def run(*arguments):
        options = ["--url", sandbox.base_url, *arguments]
        result = CliRunner().invoke(app, ["inbox", *options], catch_exceptions=False)
        assert result.exit_code == 0
        return result

    shown = run("--newest", "2")
    assert "r0@x.example" not in shown.stdout
    assert "r1@x.example" in shown.stdout
    assert shown.stdout.splitlines()[-1].split()[-2:] == ["delivered", "open"]
    assert "2 of 3 messages" in shown.stderr
    [message] = json.loads(run("r2@x.example", "--json").stdout)["messages"]
    assert (message["text"], message["acts"]) == ("Hi there", ["open"])
