"""Links in messages: to unsubscribe and back again, and to be counted by."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from typing import Any

import outreach_rows as rows
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client import REGISTRY
from starlette.testclient import TestClient
from told_events import FOLLOW_UP, enrollment, kept, message, sent_message

from models import PlanVersion, Tenant
from models.outreach import LinkSecret, OutboundMessage, OutreachEvent, Suppression
from pipeline.outreach import links, suppressions, tracking
from pipeline.outreach.link_secret import link_secret
from pipeline.outreach.plans import stored
from pipeline.stores import Row, collection, mongodb
from pipeline.web.app import create_app

WEB = "https://headrace.example"
ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@pytest.fixture
def web(stores: None, setting: Any) -> Iterator[TestClient]:
    """The whole application, as readers reach it: nobody is signed in."""
    setting(PUBLIC_BASE_URL=WEB)
    with TestClient(create_app(), base_url=WEB, follow_redirects=False) as client:
        yield client


def path(url: str) -> str:
    return url.removeprefix(WEB)


def why(message: Row) -> str | None:
    return suppressions.why_suppressed("acme", "email", message["to_address"])


def counted(link: str, outcome: str) -> float:
    labels = {"link": link, "outcome": outcome}
    return REGISTRY.get_sample_value("headrace_outreach_visits_total", labels) or 0.0


def test_to_look_at_the_page_changes_nothing_and_the_button_unsubscribes(web: TestClient) -> None:
    collection(Tenant).insert_one({"_id": "acme", "name": "Acme Gardens"})
    sent = sent_message("grace")
    elsewhere = rows.campaign(FOLLOW_UP, [sent["contact_id"]])
    url = path(links.unsubscribe_url(sent["_id"]))
    for _ in range(2):
        page = web.get(url)
        assert page.status_code == 200
    web.head(url)
    assert "Acme Gardens" in page.text
    assert "g…@example.com" in page.text
    assert "grace-0@example.com" not in page.text
    assert why(sent) is None
    assert kept(sent) == []

    done = web.post(url, data={"wish": "unsubscribe"})
    assert (done.status_code, "You are unsubscribed" in done.text) == (200, True)
    assert why(sent) == "unsubscribed"
    [event] = kept(sent)
    assert (event["_id"], event["provider"]) == (f"headrace:{sent['_id']}:unsubscribed", "headrace")
    assert enrollment(sent)["status"] == "stopped"
    assert rows.enrollment(elsewhere, sent["contact_id"])["status"] == "stopped"


def test_a_link_to_whom_was_forgotten_is_heard_once(web: TestClient) -> None:
    sent = sent_message()
    collection(OutboundMessage).update_one({"_id": sent["_id"]}, {"$unset": {"to_address": ""}})
    url = path(links.unsubscribe_url(sent["_id"]))
    for _ in range(3):
        assert "You are unsubscribed" in web.post(url, data=ONE_CLICK).text
    assert len(kept(sent)) == 1
    assert enrollment(sent)["status"] == "stopped"
    assert collection(Suppression).find_one({}) is None


def test_whoever_unsubscribes_gets_nothing_more_though_the_plan_is_broken(web: TestClient) -> None:
    sent = sent_message()
    collection(PlanVersion).delete_many({"campaign_id": sent["campaign_id"]})
    stored.cache_clear()
    url = path(links.unsubscribe_url(sent["_id"]))
    for _ in range(2):
        done = web.post(url, data=ONE_CLICK)
        assert (done.status_code, "You are unsubscribed" in done.text) == (200, True)
    row = collection(Suppression).find_one({"tenant_id": "acme"})
    assert row is not None
    assert (row["reason"], row["source"], row["count"]) == ("unsubscribed", "one_click", 1)
    assert web.post(url, data={"wish": "resubscribe"}).status_code == 503
    assert why(sent) == "unsubscribed"


def test_one_click_unsubscribes_without_a_page_or_a_sign_in(web: TestClient) -> None:
    sent = sent_message()
    headers = links.headers(sent["_id"])
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    url = path(headers["List-Unsubscribe"].strip("<>"))
    foreign = {"Origin": "https://mail.example", "Sec-Fetch-Site": "cross-site"}
    for _ in range(3):
        assert web.post(url, data=ONE_CLICK, headers=foreign).status_code == 200
    [event] = kept(sent)
    assert event["data"] == {"by": "one_click"}
    other = sent_message("other")
    url = path(links.unsubscribe_url(other["_id"]))
    files = {"List-Unsubscribe": (None, "One-Click")}  # RFC 8058 allows both kinds of form
    assert web.post(url, files=files).status_code == 200
    broken = {"Content-Type": "multipart/form-data; boundary=x"}
    third = sent_message("third")
    web.post(path(links.unsubscribe_url(third["_id"])), content=b"nonsense", headers=broken)
    assert [why(other), why(third)] == ["unsubscribed", "unsubscribed"]


def test_whoever_changes_their_mind_is_heard_each_time(web: TestClient) -> None:
    sent = sent_message()
    url = path(links.unsubscribe_url(sent["_id"]))
    for wish, reason, title in [
        ("unsubscribe", "unsubscribed", "You are unsubscribed"),
        ("resubscribe", None, "You are subscribed again"),
        ("unsubscribe", "unsubscribed", "You are unsubscribed"),
        ("resubscribe", None, "You are subscribed again"),
        ("resubscribe", None, "You are subscribed again"),
    ]:
        page = web.post(url, data={"wish": wish})
        assert title in page.text
        assert why(sent) == reason
    assert len(kept(sent)) == 4


def test_a_complaint_is_not_taken_back_by_a_link(web: TestClient) -> None:
    sent = sent_message()
    suppressions.suppress(
        None, "acme", "email", sent["to_address"], reason="spam_report", source="sendgrid"
    )
    url = path(links.unsubscribe_url(sent["_id"]))
    assert "cannot be taken back here" in web.get(url).text
    web.post(url, data={"wish": "unsubscribe"})
    page = web.post(url, data={"wish": "resubscribe"})
    assert (why(sent), "gets no more" in page.text) == ("spam_report", True)


def test_whoever_got_no_mail_for_another_reason_may_unsubscribe_too(web: TestClient) -> None:
    sent = sent_message()
    to = ("acme", "email", sent["to_address"])
    suppressions.suppress(None, *to, reason="bounced", source="sendgrid")
    url = path(links.unsubscribe_url(sent["_id"]))
    assert "Unsubscribe?" in web.get(url).text
    web.post(url, data={"wish": "unsubscribe"})
    assert why(sent) == "unsubscribed"
    page = web.post(url, data={"wish": "resubscribe"})
    assert (why(sent), "another reason" in page.text) == ("bounced", True)


def test_who_asks_without_end_is_told_to_wait(web: TestClient) -> None:
    url = path(links.unsubscribe_url(sent_message()["_id"]))
    statuses = [web.post(url, data=ONE_CLICK).status_code for _ in range(32)]
    assert (statuses[0], statuses[-1]) == (200, 429)
    assert web.get(url).status_code == 200


def test_two_clicks_at_once_are_one_event(web: TestClient) -> None:
    sent = sent_message()
    url = path(links.unsubscribe_url(sent["_id"]))
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: web.post(url, data=ONE_CLICK), range(6)))
    assert {answer.status_code for answer in answers} == {200}
    assert len(kept(sent)) == 1


def test_while_the_store_is_away_readers_get_what_they_came_for_and_no_false_word(
    web: TestClient,
) -> None:
    sent = sent_message()
    unsubscribe = path(links.unsubscribe_url(sent["_id"]))
    target = "https://shop.example/spring?to=ada%40example.com#offer"
    click, picture = path(links.click_url(sent["_id"], target)), path(links.open_url(sent["_id"]))
    lost = counted("click", "lost")
    mongodb().client.admin.command("fsync", lock=True)
    try:
        with ThreadPoolExecutor(3) as pool:
            visits = pool.map(web.get, [click, picture])
            page = web.post(unsubscribe, data=ONE_CLICK)
            led, seen = visits
    finally:
        mongodb().client.admin.command("fsyncUnlock")
    assert (page.status_code, page.headers["retry-after"]) == (503, "30")
    assert "You are unsubscribed" not in page.text
    assert (led.status_code, led.headers["location"]) == (302, target)
    assert (seen.status_code, seen.headers["content-type"]) == (200, "image/gif")
    assert "no-store" in seen.headers["cache-control"]
    # Mail is shown by pages of other sites.
    assert seen.headers["cross-origin-resource-policy"] == "cross-origin"
    assert counted("click", "lost") == lost + 1
    web.get(click)  # what was lost is not remembered as counted
    web.post(unsubscribe, data=ONE_CLICK)
    assert [event["type"] for event in kept(sent)] == ["clicked", "unsubscribed"]


def test_visits_are_counted_once_a_minute_and_move_the_contact_on(web: TestClient) -> None:
    sent = sent_message()
    one, two = (links.click_url(sent["_id"], f"https://shop.example/{n}?a=b") for n in (1, 2))
    picture = path(links.open_url(sent["_id"]))
    for _ in range(3):
        assert web.get(picture).status_code == 200
        assert web.get(path(one)).status_code == 302
    web.get(path(two))
    web.head(path(two))
    found = [(event["type"], event["data"]) for event in kept(sent)]
    assert sorted(kind for kind, _ in found) in (
        ["clicked", "clicked", "opened"],
        ["clicked", "clicked", "clicked", "opened"],  # when the minute ended meanwhile
        ["clicked", "clicked", "opened", "opened"],
    )
    assert ("clicked", {"url": "https://shop.example/1"}) in found
    assert enrollment(sent)["node_id"] == "rest"
    assert message(sent["_id"])["opened_at"] <= message(sent["_id"])["clicked_at"]


def test_pictures_that_a_mail_service_loads_beforehand_count_as_a_machines(
    web: TestClient,
) -> None:
    sent = sent_message()
    web.get(path(links.open_url(sent["_id"])), headers={"User-Agent": "Mozilla/5.0"})
    assert [event["is_machine"] for event in kept(sent)] == [True]


@pytest.mark.parametrize("kind", ["u", "o", "c"])
def test_a_link_that_was_not_made_here_leads_nowhere(web: TestClient, kind: str) -> None:
    sent = sent_message()
    made = {
        "u": links.unsubscribe_url(sent["_id"]),
        "o": links.open_url(sent["_id"]),
        "c": links.click_url(sent["_id"], "https://shop.example"),
    }
    whole = path(made[kind])
    others = [path(url).replace(f"/{name}/", f"/{kind}/") for name, url in made.items()]
    payload, _, signature = whole.rpartition("/")[2].rpartition(".")
    evil = base64.urlsafe_b64encode(json.dumps([sent["_id"], "https://evil.example"]).encode())
    forged = f"/{kind}/{evil.decode().rstrip('=')}.{signature}"
    for wrong in (f"{whole}x", whole[:-1], f"/{kind}/{payload}", forged, f"/{kind}/ü", *others):
        if wrong == whole:
            continue
        page = web.get(wrong)
        assert page.status_code == 404
        assert "evil" not in page.headers.get("location", "")
        assert "This link does not work" in page.text
    assert web.post(f"{whole}x", data=ONE_CLICK).status_code in (404, 405)
    assert collection(OutreachEvent).count_documents({}) == 0


def test_all_processes_sign_with_one_secret_which_is_kept_encrypted(stores: None) -> None:
    def made(_: int) -> bytes:
        link_secret.cache_clear()
        return link_secret()

    with ThreadPoolExecutor(8) as pool:
        secrets = set(pool.map(made, range(8)))
    assert len(secrets) == 1
    [row] = collection(LinkSecret).find()
    assert secrets.pop() not in bytes(row["secret"]["ciphertext"])


def test_links_of_mail_lead_through_us_and_all_else_stays_as_it_was(
    stores: None, setting: Any
) -> None:
    setting(PUBLIC_BASE_URL=WEB)
    unsubscribe = links.unsubscribe_url("m1")
    html = (
        "<!doctype html>\n<html><head><style>a > b {}</style></head><body>\n"
        "<!--[if mso]><td><![endif]--><![if !mso]><A class=x "
        'HREF="https://shop.example/?a=1&amp;b">'
        f'Grüße &amp; Rabatt</A><![endif]><a href="{unsubscribe}">no more</a>'
        "<a href='mailto:ada@example.com'>write</a><a href=#top>up</a><a name=top></a>"
        "</body></html>"
    )
    made = tracking.tracked(html, "m1")
    [lead] = [url for url in _links(made) if url.startswith(f"{WEB}/c/")]
    assert links.read("click", lead.rpartition("/")[2]) == {
        "message_id": "m1",
        "url": "https://shop.example/?a=1&b",
    }
    assert _links(made)[1:] == [unsubscribe, "mailto:ada@example.com", "#top"]
    picture = f'<img src="{links.open_url("m1")}" alt="" width="1" height="1"></body></html>'
    assert made.endswith(picture)
    before, after = html.index("<A class"), html.index("Grüße")
    assert made[:before] == html[:before]
    assert html[after : html.index("</body>")] in made

    text = f"See https://shop.example/a_(b), or (http://x.example). No more: {unsubscribe}"
    made = tracking.tracked_text(text, "m1")
    assert made.startswith(f"See {WEB}/c/")
    assert made.endswith(f"). No more: {unsubscribe}")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(alphabet="<>a/ b\"'=hrf&;#é\n!-", max_size=60))
def test_html_without_links_only_gains_a_picture(stores: None, html: str) -> None:
    made = tracking.tracked(html, "m1")
    assert len(made) > len(html)
    start = made.index("<img src=")
    assert made[:start] + made[made.index('height="1">', start) + 11 :] == html


def _links(html: str) -> list[str]:
    found: list[str] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.extend(value or "" for name, value in attrs if tag == "a" and name == "href")

    Reader().feed(html)
    return found
