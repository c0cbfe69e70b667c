"""What sign-in is made of, without stores."""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.clients.keyring import Keyring, new_key
from pipeline.config import Settings, settings
from pipeline.errors import Misconfigured, Permanent
from pipeline.web.access import passwords, sessions, signing
from pipeline.web.access.attempts import network_of
from pipeline.web.access.destinations import HOME, local
from pipeline.web.access.headers import content_security_policy
from pipeline.web.access.oidc import check_oidc, role_of
from pipeline.web.access.principal import Principal, csrf_token, csrf_token_is_valid

BASE = "https://headrace.example/admin/sign-in"


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> object:
    monkeypatch.setenv("ENCRYPTION_KEYS", new_key())
    settings.cache_clear()
    yield
    settings.cache_clear()


def as_browsers_read(url: str) -> str:
    """Return where a browser goes: it drops tabs and line ends, and turns backslashes."""
    for skipped in "\t\r\n":
        url = url.replace(skipped, "")
    return urljoin(BASE, url.strip("".join(map(chr, range(33)))).replace("\\", "/"))


PIECES = st.sampled_from(
    ["/", "\\", "//", "admin", "/admin", "evil.example", "https:", "javascript:", "@", ":", "?",
     "#", "%2f", "%5c", "..", ".", "\t", "\n", "\x00", " ", "http://", "data:", "é", "\u2028"]
)  # fmt: skip


@given(st.one_of(st.text(), st.lists(PIECES, max_size=8).map("".join)))
@example("//evil.example")
@example("/\\evil.example")
@example("/admin/..//evil.example")
@example("/\t/evil.example")
@example("https://headrace.example/admin")
def test_no_destination_leads_to_another_site_or_out_of_the_admin(wanted: str) -> None:
    target = urlsplit(as_browsers_read(local(wanted)))
    assert (target.scheme, target.netloc) == ("https", "headrace.example")
    assert local(wanted).startswith("/admin")


@pytest.mark.parametrize(
    "page", ["/admin", "/admin/queues", "/admin/jobs?q=user:a%2Fb&state=dead", "/admin?x=1"]
)
def test_a_page_of_the_admin_is_a_destination(page: str) -> None:
    assert local(page) == page


@pytest.mark.parametrize("page", [None, "", "/admin/sign-in?next=x", "/admin/sign-out", "/adminx"])
def test_anything_else_leads_to_the_first_page(page: str | None) -> None:
    assert local(page) == HOME


@given(position=st.integers(0, 500), letter=st.characters(codec="ascii"))
def test_a_cookie_with_one_other_letter_is_no_cookie(position: int, letter: str) -> None:
    cookie = signing.sign("session", ["an-id", "ada"])
    position %= len(cookie)
    changed = cookie[:position] + letter + cookie[position + 1 :]
    claim = sessions.claim_of(changed)
    # The last letter of base64 has bits that say nothing.
    assert claim is None or claim == sessions.Claim("an-id", "ada")
    if changed[:-1] != cookie[:-1]:
        assert claim is None or changed.rpartition(".")[0] == cookie.rpartition(".")[0]


@given(st.text(max_size=200))
def test_rubbish_is_no_cookie_and_no_token(text: str) -> None:
    assert sessions.claim_of(text) is None
    assert not csrf_token_is_valid(Principal("ada", "admin", "an-id"), text)


def test_what_was_signed_for_one_purpose_is_nothing_for_another() -> None:
    assert sessions.claim_of(signing.sign("oidc", ["an-id", "ada"])) is None


def test_a_token_is_of_one_session() -> None:
    ada, bob = Principal("ada", "admin", "one"), Principal("bob", "admin", "two")
    assert csrf_token_is_valid(ada, csrf_token(ada))
    assert not csrf_token_is_valid(bob, csrf_token(ada))


def test_a_new_key_signs_nobody_out_and_a_removed_one_does(monkeypatch: pytest.MonkeyPatch) -> None:
    def use(*keys: str) -> None:
        monkeypatch.setenv("ENCRYPTION_KEYS", ",".join(keys))
        settings.cache_clear()

    old, new = new_key(), new_key()
    use(old)
    cookie, ada = signing.sign("session", ["an-id", "ada"]), Principal("ada", "admin", "an-id")
    token = csrf_token(ada)
    use(new, old)
    assert sessions.claim_of(cookie)
    assert csrf_token_is_valid(ada, token)
    assert signing.sign("session", ["an-id", "ada"]) != cookie
    use(new)
    assert sessions.claim_of(cookie) is None
    assert not csrf_token_is_valid(ada, token)


def test_secrets_for_different_purposes_and_keys_differ() -> None:
    ring = Keyring({"new": bytes(32), "old": bytes([1]) * 32})
    found = [*ring.derived("a"), *ring.derived("b")]
    assert len(set(found)) == 4
    assert {len(secret) for secret in found} == {32}
    assert ring.derived("a")[0] == Keyring({"new": bytes(32)}).derived("a")[0]


@pytest.mark.parametrize(
    ("password", "complaint"),
    [("short", "12 to 1024"), ("x" * 1025, "12 to 1024"), ("my-name-is-ADA-really", "contain")],
)
def test_weak_passwords_are_refused(password: str, complaint: str) -> None:
    with pytest.raises(Permanent, match=complaint) as caught:
        passwords.check(password, "ada")
    assert password not in str(caught.value)


def test_a_password_typed_on_another_keyboard_is_the_same() -> None:
    composed, decomposed = "caf\u00e9-orange-river", "cafe\u0301-orange-river"
    assert passwords.matches(passwords.hashed(composed), decomposed)
    assert not passwords.matches("", composed)
    assert not passwords.matches("not a hash", composed)


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("unknown", "unknown"),
    ],
)
def test_addresses_of_one_host_count_as_one(address: str, counted: str) -> None:
    assert network_of(address) == counted


def test_roles_include_those_below() -> None:
    operator = Principal("ada", "operator")
    assert [operator.may(role) for role in ("viewer", "operator", "admin")] == [True, True, False]


@pytest.mark.parametrize(
    ("claim", "mapping", "claims", "role"),
    [
        ("groups", "", {"groups": ["staff", "operator"]}, "operator"),
        ("groups", "", {"groups": "admin"}, "admin"),
        ("groups", "", {"groups": ["staff"]}, None),
        ("groups", "", {}, None),
        ("groups", "sre=admin, support = viewer", {"groups": ["support", "sre"]}, "admin"),
        ("groups", "sre=admin", {"groups": ["admin"]}, None),
        ("groups", "CN=a,CN=b=admin", {"groups": ["CN=b"]}, "refused"),
        ("groups", "CN=sre=admin", {"groups": ["CN=sre"]}, "admin"),
        ("realm.roles", "", {"realm": {"roles": ["viewer"]}}, "viewer"),
        ("https://x.example/roles", "", {"https://x.example/roles": ["viewer"]}, "viewer"),
        ("groups", "", {"groups": {"admin": True}}, None),
        ("groups", "", {"groups": 7}, None),
    ],
)
def test_a_role_is_what_the_claims_say(
    claim: str, mapping: str, claims: dict[str, object], role: str | None
) -> None:
    given_settings = Settings(oidc_role_claim=claim, oidc_roles=mapping)
    if role == "refused":
        with pytest.raises(Misconfigured, match="OIDC_ROLES"):
            role_of(claims, given_settings)
    else:
        assert role_of(claims, given_settings) == role


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"oidc_roles": "sre=boss"}, "OIDC_ROLES"),
        ({"oidc_roles": "=admin"}, "names no group"),
        ({"oidc_issuer": "https://i.example"}, "OIDC_CLIENT_ID"),
        ({"oidc_issuer": "https://i.example", "oidc_client_id": "x"}, "PUBLIC_BASE_URL"),
    ],
)
def test_half_a_set_up_of_openid_connect_is_refused(values: dict[str, str], complaint: str) -> None:
    with pytest.raises(Misconfigured, match=complaint):
        check_oidc(Settings(**values))


def test_only_the_connect_pages_may_lead_a_form_to_google(monkeypatch: pytest.MonkeyPatch) -> None:
    assert content_security_policy("/admin/queues").split("; ") == [
        "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data:",
        "font-src 'self'", "connect-src 'self'", "form-action 'self'", "frame-ancestors 'none'",
        "base-uri 'none'",
    ]  # fmt: skip
    assert "form-action 'self' https://accounts.google.com;" in content_security_policy(
        "/connect/google"
    )
