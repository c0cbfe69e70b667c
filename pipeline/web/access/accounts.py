"""Accounts of the admin: made on the command line, or when somebody comes by OpenID Connect.

Whatever takes rights away grows the account's epoch, which ends its sessions.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime

from pymongo.client_session import ClientSession
from pymongo.errors import DuplicateKeyError

from models import AdminSession, AdminUser
from pipeline.errors import Gone, Permanent
from pipeline.stores import Row, collection, mongodb
from pipeline.web.access import passwords
from pipeline.web.access.principal import Role, as_role
from pipeline.web.access.remembered import remembered

#: Short names, since they are shown in the audit, where addresses of people must not be.
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")
#: What the names of accounts begin with that a person brought from an OpenID Connect issuer.
OIDC_PREFIX = "oidc:"


class Disabled(Permanent):
    """Its owner has proved who they are, but the account is disabled."""


@dataclass(frozen=True, slots=True)
class Account:
    """One account, without what proves that somebody is its owner."""

    name: str
    role: Role
    disabled: bool
    epoch: int
    by_oidc: bool
    created_at: datetime
    created_by: str
    last_sign_in_at: datetime | None


def normal_name(name: str) -> str:
    """Return the name as it is kept; case and blanks around it do not count."""
    return name.strip().lower()


def create(name: str, password: str, *, by: str, role: str = "") -> Account:
    """Make an account; the first one is an admin unless told otherwise, later ones viewers.

    Raises Permanent if the name is taken or unfit, or the password too weak.
    """
    name = normal_name(name)
    if not _NAME.fullmatch(name):
        raise Permanent(
            "a name is 1 to 40 letters, digits, dots, hyphens and underscores;"
            " it is shown in the audit, so it is not an e-mail address"
        )
    chosen = _role(role) if role else "viewer" if exist() else "admin"
    passwords.check(password, name)
    row = _new_row(name, chosen, by) | {"password_hash": passwords.hashed(password)}
    try:
        collection(AdminUser).insert_one(row)
    except DuplicateKeyError:
        raise Permanent(f"there is a user {name!r} already") from None
    return _account(row)


def exist() -> bool:
    """Return whether there is any account."""
    return collection(AdminUser).find_one({}, {"_id": 1}) is not None


def is_known(name: str) -> bool:
    """Return whether there is an account of this name."""
    return collection(AdminUser).find_one({"_id": normal_name(name)}, {"_id": 1}) is not None


def listed() -> list[Account]:
    """Return all accounts, in the order of their names."""
    return [_account(row) for row in collection(AdminUser).find().sort("_id", 1)]


def get(name: str) -> Account:
    """Return the account.  Raises Gone if there is none."""
    row = collection(AdminUser).find_one({"_id": normal_name(name)})
    if row is None:
        raise Gone(f"there is no user {name[:60]!r}")
    return _account(row)


def verified(name: str, password: str) -> Account | None:
    """Return the account if this is its password and it is not disabled; note the sign-in.

    A hash of outdated parameters is made anew.
    """
    row: Row = collection(AdminUser).find_one({"_id": normal_name(name)}) or {}
    password_hash = row.get("password_hash") or ""
    if not passwords.matches(password_hash, password) or row["disabled"]:
        return None
    change: Row = {"last_sign_in_at": datetime.now(UTC)}
    if passwords.is_outdated(password_hash):
        change["password_hash"] = passwords.hashed(password)
    # Conditional: a password that was changed meanwhile stays changed.
    same = {"_id": row["_id"], "password_hash": password_hash}
    collection(AdminUser).update_one(same, {"$set": change})
    return _account(row)


def arrived(subject: str, wished_name: str, role: Role) -> Account:
    """Return the account of who came by OpenID Connect, made at the first time.

    Its role is what the issuer says today, also if that leaves no admin.
    Raises Disabled.
    """
    users = collection(AdminUser)
    row = users.find_one({"subject": subject}) or _welcomed(subject, wished_name, role)
    if row["disabled"]:
        raise Disabled("this account is disabled")
    _change(row["_id"], {"last_sign_in_at": datetime.now(UTC)})
    if row["role"] != role:
        _change(row["_id"], {"role": role}, ends_sessions=True)
    return get(row["_id"])


def set_role(name: str, role: str) -> None:
    """Give an account another role, and end its sessions if it had a different one.

    Raises Gone if there is no such account, Permanent if it is the last admin,
    or if an OpenID Connect issuer says its role.
    """
    account, chosen = get(name), _role(role)
    if account.by_oidc:
        raise Permanent("the role of this user is what its OpenID Connect issuer says")
    if account.role != chosen:
        _change_keeping_an_admin(account, {"role": chosen})


def set_password(name: str, password: str) -> None:
    """Give an account another password, and end its sessions."""
    account = get(name)
    if account.by_oidc:
        raise Permanent("this user signs in by OpenID Connect and has no password here")
    passwords.check(password, account.name)
    _change(account.name, {"password_hash": passwords.hashed(password)}, ends_sessions=True)


def disable(name: str) -> None:
    """Let nobody in by this account.  Raises Permanent if it is the last enabled admin."""
    _change_keeping_an_admin(get(name), {"disabled": True})


def enable(name: str) -> None:
    """Let its owner sign in again."""
    _change(get(name).name, {"disabled": False})


def end_sessions(name: str) -> None:
    """Sign an account out everywhere."""
    _change(get(name).name, {}, ends_sessions=True)


def delete(name: str) -> None:
    """Delete an account.  Raises Permanent if it is the last enabled admin."""
    _change_keeping_an_admin(get(name), None)


def _change(name: str, change: Row, *, ends_sessions: bool = False) -> None:
    update: Row = {"$set": change} if change else {}
    if ends_sessions:
        update["$inc"] = {"epoch": 1}
    collection(AdminUser).update_one({"_id": name}, update)
    if ends_sessions:
        _forget_sessions(name)


def _change_keeping_an_admin(account: Account, change: Row | None) -> None:
    """Change an account and end its sessions, or delete it if `change` is None.

    Raises Permanent, and changes nothing, if no enabled admin would be left.
    """
    users = collection(AdminUser)

    def apply(session: ClientSession) -> None:
        if change is None:
            users.delete_one({"_id": account.name}, session=session)
        else:
            update = {"$set": change, "$inc": {"epoch": 1}}
            users.update_one({"_id": account.name}, update, session=session)
        if account.role == "admin":
            _require_an_admin(session)

    with mongodb().client.start_session() as session:
        session.with_transaction(apply)
    _forget_sessions(account.name)


def _require_an_admin(session: ClientSession) -> None:
    """Raise Permanent if no enabled admin is left, which undoes the transaction.

    It writes to those that are left, so that of two changes at once, each of which
    counts on the other's admin, one conflicts and is tried again.
    """
    left = collection(AdminUser).update_many(
        {"role": "admin", "disabled": False},
        {"$set": {"needed_at": datetime.now(UTC)}},
        session=session,
    )
    if not left.matched_count:
        raise Permanent("this is the last enabled admin; make another one first")


def _forget_sessions(name: str) -> None:
    """Tidy up: sessions of an epoch that is over count no more, deleted or not."""
    collection(AdminSession).delete_many({"user": name})
    remembered.forget_user(name)


def _role(text: str) -> Role:
    try:
        return as_role(text)
    except ValueError as error:
        raise Permanent(str(error)) from None


def _welcomed(subject: str, wished_name: str, role: Role) -> Row:
    """Make an account for `subject`; a name that somebody else has gets a suffix of its own."""
    suffix = hashlib.sha256(subject.encode()).hexdigest()[:8]
    short = normal_name(wished_name).partition("@")[0]
    short = short if _NAME.fullmatch(short) else suffix
    users = collection(AdminUser)
    for name in (f"{OIDC_PREFIX}{short}", f"{OIDC_PREFIX}{short}-{suffix}"):
        row = _new_row(name, role, by="oidc") | {"subject": subject}
        try:
            users.insert_one(row)
        except DuplicateKeyError:
            there = users.find_one({"subject": subject})
            if there:  # another of its tabs was quicker
                return there
        else:
            return row
    raise Permanent("two users of the OpenID Connect issuer cannot be told apart")


def _new_row(name: str, role: Role, by: str) -> Row:
    now = datetime.now(UTC)
    return {
        "_id": name,
        "role": role,
        "disabled": False,
        # Not that of an account of this name which was deleted, and may have a session yet.
        "epoch": int(now.timestamp()),
        "created_at": now,
        "created_by": by,
    }


def _account(row: Row) -> Account:
    return Account(
        name=row["_id"],
        role=row["role"],
        disabled=row["disabled"],
        epoch=row["epoch"],
        by_oidc="subject" in row,
        created_at=row["created_at"],
        created_by=row["created_by"],
        last_sign_in_at=row.get("last_sign_in_at"),
    )
