"""`/control`: make users, change what they have, look at the truth, and order misbehaviour."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from pipeline.sandbox.ai.chat import Chat
from pipeline.sandbox.ai.control import AiControl
from pipeline.sandbox.clock import parse_rfc3339_ms
from pipeline.sandbox.faults import Faults
from pipeline.sandbox.fields import Fields, refuse
from pipeline.sandbox.given import change_given, scopes_given, size_given
from pipeline.sandbox.grants import (
    CLIENT_ID,
    CLIENT_SECRET,
    IDENTITY_SCOPES,
    READ_SCOPES,
    Grants,
)
from pipeline.sandbox.microsoft import MAIL
from pipeline.sandbox.microsoft.control import MicrosoftControl
from pipeline.sandbox.microsoft.graph import Microsoft
from pipeline.sandbox.microsoft.life.control import LifeControl
from pipeline.sandbox.oauth import OAuth
from pipeline.sandbox.outreach.acting import Acting
from pipeline.sandbox.outreach.control import OutreachControl
from pipeline.sandbox.outreach.sendgrid.api import SendGrid
from pipeline.sandbox.outreach.sendgrid.control import SendGridControl
from pipeline.sandbox.population import Mutator, add_population, add_user
from pipeline.sandbox.push.control import PushControl
from pipeline.sandbox.push.deliverer import Deliverer
from pipeline.sandbox.quotas import Quotas
from pipeline.sandbox.settings import Settings
from pipeline.sandbox.stamps import SOURCES
from pipeline.sandbox.store import Store, UnknownUser, User
from pipeline.sandbox.truth import truth_lines
from pipeline.sandbox.usage import Usage

Answer = Any


@dataclass(frozen=True)
class Asked:
    """A control request: the JSON body, the values in the path and the query."""

    body: Any
    path: dict[str, str]
    query: dict[str, str]
    base_url: str


Handler = Callable[[Asked], Answer]

_TOKEN_ACTIONS = ("revoke", "expire", "rotate_on", "rotate_off", "scopes")


class Control:
    """The control API over one sandbox."""

    def __init__(
        self,
        store: Store,
        grants: Grants,
        quotas: Quotas,
        faults: Faults,
        usage: Usage,
        oauth: OAuth,
        deliverer: Deliverer,
        microsoft: Microsoft,
        acting: Acting,
        sendgrid: SendGrid,
        chat: Chat,
    ) -> None:
        self._store, self._grants, self._quotas = store, grants, quotas
        self._faults, self._usage, self._oauth = faults, usage, oauth
        self._deliverer, self._pushes = deliverer, PushControl(store)
        self._microsoft = MicrosoftControl(store, microsoft)
        self._lives = LifeControl(store)
        self._acting, self._sendgrid, self._chat = acting, sendgrid, chat
        self._settings = Settings.load(store.database)
        self._use(self._settings)

    def routes(self) -> list[Route]:
        table: dict[str, dict[str, Handler]] = {
            "/health": {"GET": self._health},
            "/users": {"GET": self._list_users, "POST": self._add_users},
            "/users/{user}": {"DELETE": self._delete_user},
            "/mutate": {"POST": self._mutate},
            "/apply": {"POST": self._apply},
            "/truth/{user}": {"GET": self._truth},
            "/expire_cursors": {"POST": self._expire_cursors},
            "/tokens": {"POST": self._tokens},
            "/authorized_user": {"POST": self._authorized_user},
            "/faults": {
                "GET": self._list_faults,
                "POST": self._add_fault,
                "DELETE": self._clear_faults,
            },
            "/usage": {"GET": self._list_usage, "DELETE": self._clear_usage},
            "/clock": {
                "GET": self._show_clock,
                "POST": self._advance_clock,
                "DELETE": self._reset_clock,
            },
            "/settings": {"GET": self._show_settings, "POST": self._change_settings},
            **self._pushes.table(),
            **self._microsoft.table(),
            **self._lives.table(),
            **OutreachControl(self._store, self._acting).table(),
            **SendGridControl(self._sendgrid).table(),
            **AiControl(self._chat).table(),
        }
        return [
            Route(f"/control{path}", _endpoint(handlers), methods=list(handlers))
            for path, handlers in table.items()
        ]

    def _health(self, _: Asked) -> Answer:
        users = len(self._store.users())
        return {"status": "ok", "users": users, "now": self._store.clock.now().isoformat()}

    # Users and their data

    def _list_users(self, _: Asked) -> Answer:
        return {"users": [self._described(user) for user in self._store.users()]}

    def _described(self, user: User) -> dict[str, Any]:
        counts = self._store.counts(user)
        total = sum(count for kinds in counts.values() for count in kinds.values())
        return {"user": user.user, "email": user.email, "counts": counts, "total": total}

    def _add_users(self, asked: Asked) -> Answer:
        given = Fields(asked.body, ("count", "seed", "prefix", "user", "size"))
        seed = given.whole("seed", 1)
        if given.has("user") or given.has("size"):
            name = given.text("user")
            added = [add_user(self._store, name, seed, size_given(given.object("size")))]
        else:
            count = given.whole("count", lowest=0)
            added = add_population(self._store, count, seed, given.text("prefix", "user"))
        return {"users": [asdict(user) for user in added]}

    def _delete_user(self, asked: Asked) -> Answer:
        self._store.delete_user(asked.path["user"])
        return {}

    def _mutate(self, asked: Asked) -> Answer:
        given = Fields(asked.body, ("seed", "changes", "users", "expire_cursors"))
        changes = given.whole("changes", lowest=0)
        expire = given.raw("expire_cursors")
        if isinstance(expire, list):
            expire = given.texts("expire_cursors") or []
            for name in expire:
                self._store.user(name)
        elif expire is not None and not 0 <= given.number("expire_cursors") <= 1:
            refuse("expire_cursors", "needs a share from 0 to 1, or a list of users")
        users = self._chosen(given)
        if not users and changes:
            refuse("users", "there is nobody to change")
        mutator = Mutator(self._store, given.whole("seed", 1))
        return mutator.run(users, changes, expire or 0.0).described()

    def _chosen(self, given: Fields) -> list[User]:
        names = given.texts("users")
        return self._store.users() if names is None else [self._store.user(n) for n in names]

    def _apply(self, asked: Asked) -> Answer:
        given = Fields(asked.body, ("user", "change"))
        change = change_given(given.object("change"))
        user = given.text("user")
        return {"rev": self._store.apply(user, change, self._store.clock.now())}

    def _truth(self, asked: Asked) -> Answer:
        user = self._store.user(asked.path["user"])
        query = Fields(asked.query, ("source", "time_min"))
        source = query.choice("source", (*SOURCES, MAIL)) if query.has("source") else None
        since = parse_rfc3339_ms(query.text("time_min")) if query.has("time_min") else None
        lines = truth_lines(self._store, user, source, since)
        return StreamingResponse(lines, media_type="application/x-ndjson")

    # Cursors, tokens, time

    def _expire_cursors(self, asked: Asked) -> Answer:
        given = Fields(asked.body, ("user", "source"))
        users = [self._store.user(given.text("user"))] if given.has("user") else None
        named = given.choice("source", (*SOURCES, MAIL)) if given.has("source") else None
        pairs = [
            (user, source)
            for user in users or self._store.users()
            for source in self._store.sources(user)
            if named in (None, source)
        ]
        for user, source in pairs:
            self._store.set_floor(user, source)
        return {"expired": len(pairs)}

    def _tokens(self, asked: Asked) -> Answer:
        given = Fields(asked.body, ("user", "action", "scopes"))
        user, action = self._store.user(given.text("user")), None
        if given.has("action") or not given.has("scopes"):
            action = given.choice("action", _TOKEN_ACTIONS)
        if action == "revoke":
            self._grants.revoke_user(user.n)
        elif action == "expire":
            self._grants.expire_access_tokens(user)
        elif action in {"rotate_on", "rotate_off"}:
            self._grants.set_rotation(user, action == "rotate_on")
        if given.has("scopes") or action == "scopes":
            self._grants.reduce_scopes(user, scopes_given(given, ()))
        return {}

    def _authorized_user(self, asked: Asked) -> Answer:
        given = Fields(asked.body, ("user", "scopes"))
        user = self._store.user(given.text("user"))
        scopes = scopes_given(given, (*IDENTITY_SCOPES, *READ_SCOPES))
        token = self._grants.new_refresh_token(user, scopes)
        return {
            "type": "authorized_user",
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "refresh_token": token.token,
            "token_uri": f"{asked.base_url}/token",
            "scopes": sorted(token.scopes),
        }

    def _show_clock(self, _: Asked) -> Answer:
        clock = self._store.clock
        return {"now": clock.now().isoformat(), "offset_seconds": clock.offset_seconds}

    def _advance_clock(self, asked: Asked) -> Answer:
        self._store.advance_clock(
            Fields(asked.body, ("advance_seconds",)).number("advance_seconds")
        )
        return self._show_clock(asked)

    def _reset_clock(self, asked: Asked) -> Answer:
        self._store.reset_clock()
        return self._show_clock(asked)

    # Faults, usage, settings

    def _list_faults(self, _: Asked) -> Answer:
        return {"faults": self._faults.listed()}

    def _add_fault(self, asked: Asked) -> Answer:
        return self._faults.add(asked.body)

    def _clear_faults(self, _: Asked) -> Answer:
        self._faults.clear()
        return {}

    def _list_usage(self, _: Asked) -> Answer:
        return {"usage": self._usage.listed()}

    def _clear_usage(self, _: Asked) -> Answer:
        self._usage.clear()
        self._quotas.reset()
        return {}

    def _show_settings(self, _: Asked) -> Answer:
        return asdict(self._settings)

    def _change_settings(self, asked: Asked) -> Answer:
        given = Fields(asked.body, [field.name for field in fields(Settings)])
        changed = self._settings.changed({name: given.raw(name) for name in asked.body})
        changed.save(self._store.database)
        self._use(changed)
        return asdict(changed)

    def _use(self, settings: Settings) -> None:
        self._settings = self._quotas.settings = self._oauth.settings = settings
        self._store.outbox.settings = self._deliverer.settings = settings
        self._microsoft.use(settings)
        self._acting.settings = settings
        self._sendgrid.use(settings)


def _endpoint(handlers: dict[str, Handler]) -> Callable[[Request], Any]:
    async def answer(request: Request) -> Response:
        raw = await request.body()
        try:
            asked = Asked(
                json.loads(raw) if raw else {},
                request.path_params,
                dict(request.query_params),
                str(request.base_url).rstrip("/"),
            )
            result = await run_in_threadpool(handlers[request.method], asked)
        except UnknownUser as error:
            return JSONResponse({"error": f"user: unknown user {error.args[0]!r}"}, 404)
        except ValueError as error:  # BadField, bad JSON, and refusals of settings and faults
            return JSONResponse({"error": str(error)}, 400)
        return result if isinstance(result, Response) else JSONResponse(result)

    return answer
