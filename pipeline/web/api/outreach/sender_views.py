"""How senders are told, and what may be set of them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, SecretStr

from pipeline.outreach.budgets import Use
from pipeline.outreach.reading import names
from pipeline.outreach.reading.senders import SenderRow
from pipeline.web.api.common import Payload
from pipeline.web.api.outreach.common import MASKED, picked

Provider = Literal["sendgrid", "smtp", "twilio"]
_Secret = Annotated[SecretStr, Field(max_length=2000)]
_Limit = Annotated[int, Field(strict=True, ge=0, le=1_000_000_000)]


class LimitsWanted(Payload):
    """How many messages; null or left out: as the settings of Headrace say."""

    per_minute: _Limit | None = Field(default=None, description="In any minute.")
    per_hour: _Limit | None = Field(default=None, description="In any hour.")
    per_day: _Limit | None = Field(default=None, description="In any 24 hours.")


class Credentials(Payload):
    """Secrets of the provider, which are never shown again; each provider needs all its own."""

    api_key: _Secret | None = Field(default=None, description="Of sendgrid.")
    url: _Secret | None = Field(
        default=None,
        description="Of smtp: smtp://user:password@host:587, or smtps://…; of a server that "
        "SMTP_HOSTS lists.",
    )
    account_sid: _Secret | None = Field(default=None, description="Of twilio.")
    auth_token: _Secret | None = Field(default=None, description="Of twilio.")


class SenderChanges(Payload):
    """What is to change; what is left out stays as it is, null removes it.

    Once provider, address or credentials change, it has to be verified again.
    """

    name: str | None = Field(default=None, max_length=200, description="For lists.")
    provider: Provider | None = Field(default=None, description="Who carries its messages.")
    address: str | None = Field(
        default=None, max_length=320, description="An e-mail address, or a number as +4930123456."
    )
    display_name: str | None = Field(
        default=None, max_length=200, description="The name that recipients see."
    )
    reply_to: str | None = Field(default=None, max_length=320, description="Where replies go.")
    user_id: str | None = Field(
        default=None, max_length=200, description="The user whose synced mailbox replies come to."
    )
    credentials: Credentials | None = Field(
        default=None, description="Write-only; without any, those of the settings are used."
    )
    limits: LimitsWanted | None = Field(default=None, description="What it may send at the most.")

    def values_given(self) -> dict[str, Any]:
        """Return what was given, secrets as texts."""
        given = self.model_dump(exclude_unset=True)
        for name in ("credentials", "limits"):
            if given.get(name) is not None:
                given[name] = {n: _plain(v) for n, v in given[name].items() if v is not None}
        return given


class SenderWanted(SenderChanges):
    """A sender; it does not send before it was verified."""

    name: str = Field(min_length=1, max_length=200, description="For lists.")
    provider: Provider = Field(description="Who carries its messages; the channel follows.")
    address: str = Field(
        min_length=1,
        max_length=320,
        description="An e-mail address, or a number as +4930123456.",
    )


def _plain(value: Any) -> Any:
    return value.get_secret_value() if isinstance(value, SecretStr) else value


class LimitsView(BaseModel):
    """What is set for a sender itself; null: as the settings of Headrace say."""

    per_minute: int | None = Field(description="Messages in any minute.")
    per_hour: int | None = Field(description="Messages in any hour.")
    per_day: int | None = Field(description="Messages in any 24 hours.")


class UseView(BaseModel):
    """How much of a limit is in use."""

    name: str = Field(description="sender_minute, sender_hour, sender_day, tenant, domain, total.")
    domain: str | None = Field(description="The domain of recipients, if it is that of one.")
    used: int = Field(description="Messages within the window until now.")
    limit: int = Field(description="How many there may be.")
    seconds: float = Field(description="How long the window is.")


class SenderView(BaseModel):
    """An address that messages are sent from."""

    id: str = Field(description="Its id.")
    name: str = Field(description="Its name in lists.")
    channel: str = Field(description="email or sms.")
    provider: str = Field(description="sendgrid, smtp or twilio.")
    address: str = Field(description=MASKED)
    display_name: str | None = Field(description="The name that recipients see.")
    reply_to: str | None = Field(description=MASKED)
    user_id: str | None = Field(description="The user whose synced mailbox replies come to.")
    has_credentials: bool = Field(description="Whether it has some of its own; none are shown.")
    limits: LimitsView = Field(description="What is set for it.")
    status: str = Field(description="unverified, verified, failing or disabled.")
    status_reason: str | None = Field(description="Why it is failing or disabled.")
    is_paused: bool = Field(description="While it is, what is to be sent from it waits.")
    may_send: bool = Field(description="Whether it sends: verified, and not paused.")
    hold_until: datetime | None = Field(description="Until when its provider asked to wait.")
    verified_at: datetime | None = Field(description="When its provider took it last.")
    uses: list[UseView] = Field(description="How much of each limit is in use.")
    waiting: int = Field(description="Messages that are due and have not begun.")
    next_at: datetime = Field(description="When it may send the next one.")
    created_at: datetime = Field(description="When it was made.")
    updated_at: datetime = Field(description="When it last changed.")


class SenderList(BaseModel):
    """All senders of a tenant, by name."""

    senders: list[SenderView] = Field(description="The senders.")


_SAME = (
    *("name", "channel", "provider", "display_name", "user_id", "status", "status_reason"),
    *("hold_until", "verified_at", "created_at", "updated_at"),
)


def sender_view(one: SenderRow, *, reveal: bool) -> SenderView:
    """Return what is told of a sender."""
    row, standing = one.sender, one.standing
    limits = row.get("limits") or {}
    return SenderView(
        **picked(row, _SAME),
        id=one.id,
        address=names.address(row["address"], reveal=reveal),
        reply_to=names.address(row.get("reply_to"), reveal=reveal) or None,
        has_credentials=one.has_credentials,
        limits=LimitsView(**{name: limits.get(name) for name in LimitsView.model_fields}),
        is_paused=bool(row.get("is_paused")),
        may_send=one.may_send,
        # What all tenants together send is no tenant's to know.
        uses=[_use_view(use) for use in standing.uses if use.name != "total"],
        waiting=standing.waiting,
        next_at=standing.next_at,
    )


def _use_view(use: Use) -> UseView:
    return UseView(**use._asdict() | {"domain": use.domain or None})
