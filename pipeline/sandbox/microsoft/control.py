"""The part of `/control` that concerns Microsoft: mailboxes, their mail, tokens and consent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from functools import wraps
from typing import TYPE_CHECKING, Any

from pipeline.sandbox.fields import Fields, refuse
from pipeline.sandbox.microsoft import MICROSOFT_CLIENT_ID, MICROSOFT_CLIENT_SECRET, TENANT_ID
from pipeline.sandbox.microsoft.announcing import tell_lifecycle
from pipeline.sandbox.microsoft.graph import Microsoft
from pipeline.sandbox.microsoft.identity import id_claims
from pipeline.sandbox.microsoft.reading import NoMailbox, NotInMailbox
from pipeline.sandbox.microsoft.tokens import USUAL_SCOPES, Refusal, known_scopes
from pipeline.sandbox.settings import Settings
from pipeline.sandbox.store import Store

if TYPE_CHECKING:
    from pipeline.sandbox.control import Asked

    Handler = Callable[[Asked], Any]

_MAIL_ACTIONS = ("add", "move", "patch", "remove")
_EVENTS = ("reauthorizationRequired", "subscriptionRemoved", "missed")
_FOLDER_ACTIONS = ("add", "rename", "remove")
#: What an action says of the user's grant from then on.
_REFUSALS = {
    "revoke": Refusal.WITHDRAWN,
    "password": Refusal.PASSWORD,
    "inactive": Refusal.INACTIVE,
    "proof": Refusal.PROOF,
}
_TOKEN_ACTIONS = (*_REFUSALS, "expire", "restore")


class MicrosoftControl:
    """Handlers over one sandbox's Microsoft side."""

    def __init__(self, store: Store, microsoft: Microsoft) -> None:
        self._store, self._mail, self._microsoft = store, store.mail, microsoft

    def use(self, settings: Settings) -> None:
        """Take settings that control was given."""
        self._microsoft.identity.settings = settings

    def table(self) -> dict[str, dict[str, Handler]]:
        handlers: dict[str, dict[str, Handler]] = {
            "/microsoft/open": {"POST": self._open},
            "/microsoft/folders": {"POST": self._change_folder},
            "/microsoft/folders/{user}": {"GET": self._list_folders},
            "/microsoft/mail": {"POST": self._change_mail},
            "/microsoft/mail/{user}": {"GET": self._show_mail},
            "/microsoft/counts/{user}": {"GET": self._count_mail},
            "/microsoft/tokens": {"POST": self._tokens},
            "/microsoft/grant": {"POST": self._grant},
            "/microsoft/lifecycle": {"POST": self._lifecycle},
        }
        return {
            path: {verb: _refusing(handler) for verb, handler in verbs.items()}
            for path, verbs in handlers.items()
        }

    # Mailboxes

    def _open(self, asked: Asked) -> Any:
        given = Fields(asked.body, ("user", "time_zone"))
        user = self._store.user(given.text("user"))
        return {"created": self._mail.ensure_mailbox(user, given.text("time_zone", "UTC"))}

    def _list_folders(self, asked: Asked) -> Any:
        user = self._store.user(asked.path["user"])
        return {"folders": [asdict(folder) for folder in self._mail.folders(user)]}

    def _change_folder(self, asked: Asked) -> Any:
        given = Fields(asked.body, ("user", "action", "folder", "name", "parent", "hidden"))
        user, action = self._store.user(given.text("user")), given.choice("action", _FOLDER_ACTIONS)
        if action == "add":
            parent_id = given.text("parent") if given.has("parent") else None
            hidden = bool(given.raw("hidden"))
            name = given.text("name")
            return {"id": self._mail.add_folder(user, name, parent_id, hidden=hidden)}
        folder_id = self._mail.folder(user, given.text("folder")).id
        if action == "rename":
            self._mail.rename_folder(user, folder_id, given.text("name"))
        else:
            self._mail.remove_folder(user, folder_id)
        return {"id": folder_id}

    def _change_mail(self, asked: Asked) -> Any:
        given = Fields(asked.body, ("user", "action", "id", "folder", "message", "at"))
        user, action = self._store.user(given.text("user")), given.choice("action", _MAIL_ACTIONS)
        at = _moment(given)
        if action == "add":
            message = given.object("message") if given.has("message") else {}
            return {"id": self._mail.add_message(user, given.text("folder", "inbox"), message, at)}
        message_id = given.text("id")
        if action == "move":
            self._mail.move(user, message_id, given.text("folder"), at)
        elif action == "patch":
            self._mail.patch(user, message_id, given.object("message"), at)
        else:
            self._mail.remove(user, message_id, at)
        return {"id": message_id}

    def _show_mail(self, asked: Asked) -> Any:
        user, query = self._store.user(asked.path["user"]), Fields(asked.query, ("id", "folder"))
        if query.has("id"):
            return {"message": self._mail.message(user, query.text("id"))}
        folder = query.text("folder") if query.has("folder") else None
        return {"messages": list(self._mail.messages(user, folder))}

    def _count_mail(self, asked: Asked) -> Any:
        user = self._store.user(asked.path["user"])
        counts = self._mail.counts(user)
        return {
            "counts": {
                folder.well_known or folder.name: counts.get(folder.n, (0, 0))[0]
                for folder in self._mail.folders(user)
            }
        }

    # Sign-in

    def _tokens(self, asked: Asked) -> Any:
        given = Fields(asked.body, ("user", "action"))
        user, action = self._store.user(given.text("user")), given.choice("action", _TOKEN_ACTIONS)
        tokens = self._microsoft.tokens
        if action == "expire":
            tokens.expire_access_tokens(user)
        elif action == "restore":
            tokens.restore(user, USUAL_SCOPES)
        else:
            tokens.refuse(user, _REFUSALS[action])
        return {}

    def _grant(self, asked: Asked) -> Any:
        given = Fields(asked.body, ("user", "scopes"))
        user, names = self._store.user(given.text("user")), given.texts("scopes")
        scopes = frozenset(USUAL_SCOPES) if names is None else known_scopes(" ".join(names))
        token = self._microsoft.identity.granted(user, scopes)
        return {
            "client_id": MICROSOFT_CLIENT_ID,
            "client_secret": MICROSOFT_CLIENT_SECRET,
            "tenant_id": TENANT_ID,
            "refresh_token": token["refresh_token"],
            "access_token": token["access_token"],
            "id_token_claims": id_claims(user),
            "scopes": sorted(scopes),
            "token": token,
        }

    def _lifecycle(self, asked: Asked) -> Any:
        given = Fields(asked.body, ("user", "event"))
        user, event = self._store.user(given.text("user")), given.choice("event", _EVENTS)
        return {"told": tell_lifecycle(self._store, user, event)}


def _refusing(handler: Handler) -> Handler:
    """Turn what is not there into a refusal that names the field."""

    @wraps(handler)
    def answer(asked: Asked) -> Any:
        try:
            return handler(asked)
        except NoMailbox:
            refuse("user", "has no mailbox")
        except NotInMailbox:
            refuse("id", "no such folder or message in the mailbox")

    return answer


def _moment(given: Fields) -> datetime | None:
    if not given.has("at"):
        return None
    at = datetime.fromisoformat(given.text("at"))
    if at.tzinfo is None:
        refuse("at", "needs a time zone")
    return at
