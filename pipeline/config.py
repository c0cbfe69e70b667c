"""Settings: environment variables, typed and checked before anything starts.

A setting comes from the environment, else from `.headrace/env`, which
`headrace up` writes for the servers that it embeds, else from its default.
"""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from pipeline.errors import Misconfigured

Seconds = Annotated[float, Field(gt=0)]
Days = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(gt=0)]
Port = Annotated[int, Field(ge=0, le=65535)]


def _without_slash(url: str) -> str:
    if url and not url.startswith(("http://", "https://")):
        raise ValueError("expected an address that starts with http:// or https://")
    return url.rstrip("/")


BaseUrl = Annotated[str, AfterValidator(_without_slash)]


def _origins(text: str) -> str:
    for origin in filter(None, (entry.strip() for entry in text.split(","))):
        parts = urlsplit(origin)
        if parts.scheme not in ("http", "https") or origin != f"{parts.scheme}://{parts.netloc}":
            raise ValueError(f"{origin!r} is not an origin such as https://app.example")
    return text


def _address(text: str) -> str:
    if text and not re.fullmatch(r"[!-?A-~]+@[A-Za-z0-9.-]+", text):
        raise ValueError("expected an address such as headrace@example.com")
    return text


def _with_scheme(*schemes: str, optional: bool = False) -> AfterValidator:
    def check(url: str | SecretStr) -> str | SecretStr:
        text = url.get_secret_value() if isinstance(url, SecretStr) else url
        if not text.startswith(schemes) and not (optional and not text):
            raise ValueError(f"expected an address that starts with {' or '.join(schemes)}")
        return url

    return AfterValidator(check)


def data_dir() -> Path:
    """The folder of embedded servers and their settings (`HEADRACE_DATA_DIR`)."""
    return Path(os.environ.get("HEADRACE_DATA_DIR", ".headrace")).absolute()


class Settings(BaseSettings):
    """Every setting of worker, scheduler, web and command line."""

    model_config = SettingsConfigDict(extra="ignore", use_attribute_docstrings=True, frozen=True)

    redis_url: Annotated[SecretStr, _with_scheme("redis://", "rediss://", "unix://")] = SecretStr(
        "redis://127.0.0.1:6379/0"
    )
    """Redis 7 or Valkey: queues, quota ledger, locks. Wants `maxmemory-policy noeviction`."""
    mongodb_uri: Annotated[SecretStr, _with_scheme("mongodb://", "mongodb+srv://")] = SecretStr(
        "mongodb://127.0.0.1:27017/headrace"
    )
    """MongoDB 6 or later, a replica set or sharded (transactions are used); names the database."""
    graph_uri: Annotated[str, _with_scheme("bolt", "neo4j")] = "bolt://127.0.0.1:7687"
    """Bolt address of the graph: Neo4j 5, Aura, Memgraph or ArcadeDB."""
    graph_user: str = "neo4j"
    """User of the graph."""
    graph_password: SecretStr = SecretStr("")
    """Password of the graph; empty: no authentication."""
    graph_database: str = ""
    """Database of the graph; empty: the server's default."""

    search_url: Annotated[SecretStr, _with_scheme("http://", "https://", optional=True)] = (
        SecretStr("")
    )
    """OpenSearch 2 or Elasticsearch 8, `https://user:password@host:9200`; empty: MongoDB's own."""
    search_index_prefix: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")] = "headrace"
    """What the names of indexes and alias begin with there."""
    search_timeout_seconds: Annotated[float, Field(gt=0, le=600)] = 30
    """How long to wait for an answer of it."""
    search_shards: Annotated[int, Field(ge=1, le=1024)] = 1
    """Shards of an index there; a new number counts from the next rebuild on."""

    encryption_keys: SecretStr = SecretStr("")
    """Keys of stored credentials, `id:key,id:key`, newest first. `headrace new-key` makes one."""

    google_api_base_url: BaseUrl = ""
    """Root of the Google APIs; empty: Google's own hosts. The sandbox and proxies go here."""
    google_oauth_base_url: BaseUrl = "https://oauth2.googleapis.com"
    """Root of Google's token and revocation endpoints."""
    google_accounts_base_url: BaseUrl = "https://accounts.google.com"
    """Root of Google's consent pages, where users connect."""
    google_certs_url: BaseUrl = "https://www.googleapis.com/oauth2/v1/certs"
    """Certificates that Google signs ID tokens and Pub/Sub pushes with."""
    google_client_id: str = ""
    """Client id of your Google Cloud project; needed for /connect/google."""
    google_client_secret: SecretStr = SecretStr("")
    """Secret of that client."""
    google_pubsub_topic: str = ""
    """Pub/Sub topic for Gmail, `projects/P/topics/T`; empty: Gmail is polled."""
    google_pubsub_service_account: str = ""
    """E-mail of the service account that signs Pub/Sub's pushes; needed with the topic."""
    google_pubsub_audience: str = ""
    """Audience of Pub/Sub's pushes; empty: PUBLIC_BASE_URL/webhooks/google/gmail."""
    composio_api_key: SecretStr = SecretStr("")
    """Key of Composio; needed only for connections whose credentials Composio holds."""
    composio_base_url: BaseUrl = "https://backend.composio.dev"
    """Root of Composio's API."""
    microsoft_graph_base_url: BaseUrl = "https://graph.microsoft.com"
    """Root of Microsoft Graph. The sandbox and proxies go here."""
    microsoft_login_base_url: BaseUrl = "https://login.microsoftonline.com"
    """Root of Microsoft's sign-in and token endpoints."""
    microsoft_tenant: str = "common"
    """Who may connect: `common`, `organizations`, or the id of one Entra tenant."""
    microsoft_client_id: str = ""
    """Application id of your registration in Entra; needed for /connect/microsoft."""
    microsoft_client_secret: SecretStr = SecretStr("")
    """Secret of that application."""
    sendgrid_api_base_url: BaseUrl = "https://api.sendgrid.com"
    """Root of SendGrid's API; https://api.eu.sendgrid.com for its EU region. The sandbox too."""
    sendgrid_api_key: SecretStr = SecretStr("")
    """API key of senders at SendGrid that have none of their own."""
    sendgrid_webhook_public_keys: str = ""
    """Keys that SendGrid signs its event webhook with, comma-separated; empty: none is taken."""
    sendgrid_webhook_max_age_seconds: Seconds = 90_000
    """An event webhook signed longer ago is refused; SendGrid tries again for 24 hours."""
    twilio_api_base_url: BaseUrl = "https://api.twilio.com"
    """Root of Twilio's API. The sandbox and proxies go here."""
    twilio_account_sid: str = ""
    """Account of senders at Twilio that have none of their own."""
    twilio_auth_token: SecretStr = SecretStr("")
    """Auth token of that account; it also signs Twilio's webhooks."""
    smtp_url: Annotated[SecretStr, _with_scheme("smtp://", "smtps://")] = SecretStr(
        "smtp://127.0.0.1:25"
    )
    """Mail server of senders that have none, `smtp[s]://user:password@host:port`."""
    smtp_hosts: str = ""
    """Other mail servers that senders may name, `host` or `host:port`, comma-separated."""
    email_from: Annotated[str, AfterValidator(_address)] = ""
    """Address that mail to users is from, by SMTP_URL; empty: such mail waits until it is set."""
    email_from_name: str = "Headrace"
    """Name beside that address."""
    email_lease_seconds: Annotated[float, Field(ge=2)] = 120
    """A mail whose worker has been silent for so long may have been sent: it is not sent again."""
    email_delivery_retention_days: Days = 90
    """How long it is kept what mail users got."""
    cron_email: str = "* * * * *"
    """When mail that is due, and users whose digest is, are looked for (cron, UTC)."""
    provider_timeout_seconds: Seconds = 30
    """Longest silence of a provider before a call counts as failed."""

    google_calendar_freshness_target_seconds: Seconds = 900
    """How old a user's calendar copy may get; it is synced a little more often than this."""
    google_gmail_freshness_target_seconds: Seconds = 900
    """The same for Gmail."""
    google_contacts_freshness_target_seconds: Seconds = 900
    """The same for contacts."""
    google_tasks_freshness_target_seconds: Seconds = 900
    """The same for tasks. Google allows 50,000 task calls a day per project: raise this early."""
    microsoft_mail_freshness_target_seconds: Seconds = 900
    """The same for Microsoft 365 mail, also while it is pushed: the delta sync is a safety net."""
    google_calendar_window_days: Days = 90
    """Events that ended longer ago than this when a calendar is first listed are left out."""
    google_gmail_window_days: Days = 90
    """Mail older than this when a mailbox is first listed is left out."""
    google_gmail_include_spam_trash: bool = False
    """Keep mail in spam and trash too; otherwise moving a mail there deletes it from the copy."""
    google_gmail_batch_size: Annotated[int, Field(ge=1, le=100)] = 25
    """Mails per batch request; Google refuses too many at once for one user."""
    google_tasks_overlap_seconds: Seconds = 300
    """How far each task listing reaches back behind the newest change already seen."""
    microsoft_mail_window_days: Days = 90
    """Mail older than this when a folder is first listed is left out."""
    microsoft_mail_page_size: Annotated[int, Field(ge=1, le=1000)] = 100
    """Mails per page that Microsoft is asked for."""
    microsoft_subscription_hours: Annotated[float, Field(ge=0.75, le=167)] = 72
    """Life of a subscription to a Microsoft mailbox; it is renewed at half of it."""
    microsoft_token_refresh_minutes: Annotated[float, Field(gt=0)] = 45
    """A Microsoft grant that no sync has refreshed for so long is refreshed."""

    email_event_retention_days: Days = 90
    """How long mailbox events are kept, at least: a longer observation window keeps them longer."""
    mail_audit_retention_days: Days = 180
    """How long it is kept what was done to a user's mail."""
    notification_retention_days: Days = 30
    """How long users' notifications are kept."""
    staging_folder_name: Annotated[str, Field(min_length=1, max_length=100)] = "Headrace Staging"
    """Folder of a mailbox in which mail waits that a rule is about to delete."""
    staging_hours: Annotated[float, Field(gt=0)] = 24
    """How long it waits there, at least: it is deleted only within the user's working hours."""
    undo_hours: Annotated[float, Field(gt=0)] = 48
    """How long what rules did can be undone."""

    outreach_email_per_minute: Count = 20
    """Mails that one sender may send in any minute, unless it has a limit of its own."""
    outreach_email_per_hour: Count = 1000
    """The same in any hour."""
    outreach_email_per_day: Count = 10_000
    """The same in any day."""
    outreach_sms_per_minute: Count = 10
    """Text messages that one sender may send in any minute, unless it has a limit of its own."""
    outreach_sms_per_hour: Count = 500
    """The same in any hour."""
    outreach_sms_per_day: Count = 5000
    """The same in any day."""
    outreach_tenant_per_hour: Count = 5000
    """Messages that all senders of a tenant may send in any hour, unless it has its own limit."""
    outreach_domain_per_hour: Count = 200
    """Mails of a tenant to one recipient domain in any hour, unless it has its own limit."""
    outreach_total_per_hour: Count = 20_000
    """Messages that all tenants may send in any hour."""
    outreach_promotion_seconds: Annotated[float, Field(ge=10)] = 90
    """What is due within this becomes a job; longer than CRON_OUTREACH waits."""
    outreach_send_lease_seconds: Annotated[float, Field(ge=2)] = 120
    """A message whose sender has been silent for so long is reconciled; longer than any call."""
    outreach_retry_seconds: Seconds = 1200
    """Wait before a message that was not taken is tried again; it grows with each of 6 tries."""
    outreach_unknown_hours: Annotated[float, Field(gt=0)] = 72
    """How long it is looked whether a message went out of which no answer came."""
    outreach_action_retention_days: Days = 30
    """How long it is kept what was scheduled, after it has happened or was canceled."""
    ai_base_url: BaseUrl = "https://api.openai.com/v1"
    """Root of an OpenAI-compatible API that AI is asked through."""
    ai_api_key: SecretStr = SecretStr("")
    """Its key, any text if it asks for none; empty: AI is done on the worker, without a model."""
    ai_model: str = ""
    """Model that is asked there; needed with AI_API_KEY."""
    ai_fallback_base_url: BaseUrl = ""
    """Root of another such API, asked when the first one fails; empty: none."""
    ai_fallback_api_key: SecretStr = SecretStr("")
    """Its key."""
    ai_fallback_model: str = ""
    """Model that is asked there."""
    ai_timeout_seconds: Seconds = 60
    """Longest wait for an answer before a call counts as failed."""
    ai_requests_per_minute: Count = 60
    """Calls to models that one tenant may cause in any minute."""
    ai_tokens_per_minute: Count = 100_000
    """Tokens, sent and received, that one tenant may use in any minute."""
    ai_requests_per_day: Count = 10_000
    """Calls to models that one tenant may cause in any day."""
    ai_tokens_per_day: Count = 5_000_000
    """Tokens that one tenant may use in any day."""
    ai_cost_input: Annotated[float, Field(ge=0)] = 0
    """Price of a million tokens sent, in US dollars."""
    ai_cost_cached: Annotated[float, Field(ge=0)] = 0
    """Price of a million tokens sent that the provider had in its cache."""
    ai_cost_output: Annotated[float, Field(ge=0)] = 0
    """Price of a million tokens received."""
    ai_fallback_cost_input: Annotated[float, Field(ge=0)] = 0
    """Price of a million tokens sent to AI_FALLBACK_BASE_URL, in its cache or not."""
    ai_fallback_cost_output: Annotated[float, Field(ge=0)] = 0
    """Price of a million tokens received from there."""
    ai_text_retention_days: Days = 7
    """How long a text is kept that was submitted to AI; its result stays."""
    ai_retention_days: Days = 365
    """How long requests to AI, their results and what they used are kept."""
    quota_use_fraction: Annotated[float, Field(gt=0, le=1)] = 0.97
    """Share of each provider quota that the ledger gives out; the rest is left to other clients."""
    quota_inline_wait_seconds: Annotated[float, Field(ge=0)] = 2
    """A shorter wait for quota blocks the worker thread; a longer one defers the sync."""
    sync_budget_seconds: Seconds = 120
    """A sync that takes longer stores where it is and queues up again behind the others."""
    lease_seconds: Annotated[float, Field(ge=1)] = 30
    """How long a killed worker's lease blocks its work; less than WORKER_TIMEOUT_SECONDS."""
    worker_timeout_seconds: Annotated[float, Field(ge=2)] = 45
    """A worker silent for so long counts as dead: its jobs run again, elsewhere."""
    sweep_seconds: Seconds = 5
    """How often each process looks for jobs of dead workers and for new dead letters."""
    shutdown_grace_seconds: Seconds = 20
    """How long a worker that stops lets its jobs end; then it interrupts and hands them back."""
    job_backoff_jitter: Annotated[float, Field(ge=0, le=1)] = 0
    """Share by which the wait before another attempt is lengthened at random; 0: as tabled."""
    requeue_after_seconds: Seconds = 90
    """A queued job that has not started by then is queued again."""
    dispatch_high_water: Count = 5000
    """Dispatch stops while this many jobs wait, and goes on at the next tick."""
    sync_run_retention_days: Days = 14
    """How long the history of syncs is kept."""
    dead_letter_retention_days: Days = 90
    """How long dead letters are kept after they were replayed or dismissed; open ones stay."""
    cron_dispatch: str = "* * * * *"
    """When due users are looked for (cron, UTC; of six fields the first are seconds)."""
    cron_sweep: str = "* * * * *"
    """When projections that lag behind are looked for (cron, UTC)."""

    cadence_floor_seconds: Seconds = 300
    """However often a user's data changes, it is polled no more often than this."""
    cadence_ceiling_seconds: Seconds = 3600
    """However rarely a user's data changes, it is polled at least this often."""
    push_poll_seconds: Seconds = 3600
    """How often a source with live push is polled all the same, as a safety net."""
    subscription_renewal_margin_seconds: Seconds = 86_400
    """A push subscription is renewed when it has less than this left."""
    cron_renewal: str = "* * * * *"
    """When subscriptions to make, to renew and too silent are looked for (cron, UTC)."""
    cron_delta_sync: str = "* * * * *"
    """When mailboxes are looked for that are due for a delta sync (cron, UTC)."""
    cron_pattern_analysis: str = "*/5 * * * *"
    """When mailboxes are looked for whose user's clock has passed 02:00 (cron, UTC)."""
    cron_staging: str = "* * * * *"
    """When staged mail and acts that are due are looked for (cron, UTC)."""
    cron_token_refresh: str = "*/5 * * * *"  # noqa: S105 - a cron
    """When grants are looked for that are due to be refreshed (cron, UTC)."""
    cron_outreach: str = "* * * * *"
    """When sends and timers of campaigns are looked for that are due soon (cron, UTC)."""
    cron_ai: str = "* * * * *"
    """When requests to AI are looked for that have lost their job (cron, UTC)."""
    webhook_retention_days: Days = 7
    """How long received push notifications are kept."""
    audit_retention_days: Days = 365
    """How long the audit of people's actions is kept."""

    web_host: str = "127.0.0.1"
    """Address that `headrace web` listens on."""
    web_port: Port = 8080
    """Port that `headrace web` listens on."""
    public_base_url: BaseUrl = ""
    """Address at which browsers and providers reach the web; Google pushes to https only."""
    connect_return_origins: Annotated[str, AfterValidator(_origins)] = ""
    """Origins that connect links may send users back to: `https://app.example`, comma-separated."""
    web_trusted_proxies: str = "127.0.0.1"
    """Addresses whose X-Forwarded-For and -Proto are believed, comma-separated; `*`: all."""
    web_session_hours: Annotated[float, Field(gt=0)] = 12
    """How long a sign-in lasts."""
    api_requests_per_minute: Count = 600
    """How many requests to the API one token may make in any minute."""
    metrics_token: SecretStr = SecretStr("")
    """Bearer token for the web's /metrics; empty: only callers on this machine are answered."""
    oidc_issuer: BaseUrl = ""
    """OpenID Connect issuer for sign-in; empty: passwords only."""
    oidc_client_id: str = ""
    """Client id at that issuer."""
    oidc_client_secret: SecretStr = SecretStr("")
    """Client secret at that issuer."""
    oidc_role_claim: str = "groups"
    """Claim that holds the roles `viewer`, `operator` or `admin`, or group names mapped below."""
    oidc_roles: str = ""
    """Which group has which role: `sre=admin,support=operator`; without any nobody enters."""

    worker_metrics_port: Port = 9191
    """Port of the worker's /metrics; 0: none."""
    scheduler_metrics_port: Port = 9192
    """Port of the scheduler's /metrics, with queue depth and freshness; 0: none."""
    metrics_host: str = "127.0.0.1"
    """Address that /metrics listens on."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """Least severe log line that is written."""
    log_format: Literal["text", "json"] = "text"
    """Form of the log lines."""

    @model_validator(mode="after")
    def _a_lease_ends_before_its_job_runs_again(self) -> Self:
        if self.lease_seconds >= self.worker_timeout_seconds:
            raise ValueError(
                f"LEASE_SECONDS={self.lease_seconds:g}: expected less than "
                f"WORKER_TIMEOUT_SECONDS={self.worker_timeout_seconds:g}, or the jobs of a dead "
                "worker would find its leases still held when they run again"
            )
        return self

    @model_validator(mode="after")
    def _a_key_of_ai_has_a_model(self) -> Self:
        if self.ai_api_key.get_secret_value() and not (self.ai_base_url and self.ai_model):
            raise ValueError("AI_API_KEY is set: set AI_BASE_URL and AI_MODEL too")
        if self.ai_fallback_base_url and not (
            self.ai_api_key.get_secret_value()
            and self.ai_fallback_api_key.get_secret_value()
            and self.ai_fallback_model
        ):
            raise ValueError(
                "AI_FALLBACK_BASE_URL is set: set AI_FALLBACK_API_KEY, AI_FALLBACK_MODEL and "
                "AI_API_KEY too"
            )
        return self

    def return_origins(self) -> list[str]:
        """Return the origins that connect links may send users back to."""
        origins = (origin.strip() for origin in self.connect_return_origins.split(","))
        return [origin for origin in origins if origin]

    def freshness_target_seconds(self, source: str) -> float:
        """Return the freshness target of `source`."""
        return float(getattr(self, f"{source}_freshness_target_seconds"))


def env_name(field: str) -> str:
    """Return the environment variable of a field of Settings."""
    return field.upper()


@cache
def settings() -> Settings:
    """Return the settings of this process.

    Raises Misconfigured that lists each wrong one with its value (unless it is
    a secret) and what is expected.
    """
    try:
        return Settings(_env_file=data_dir() / "env")  # type: ignore[call-arg]
    except ValidationError as error:
        raise Misconfigured(_explain(error)) from None


def public_base_url() -> str:
    """Return the address at which browsers reach the web, without a slash at its end.

    PUBLIC_BASE_URL, else the address that the web listens on, as this machine reaches it.
    """
    if settings().public_base_url:
        return settings().public_base_url
    host = settings().web_host
    if host in ("0.0.0.0", "::"):  # noqa: S104 - any address: then this machine's own
        host = "localhost"
    if ":" in host:  # IPv6
        host = f"[{host}]"
    return f"http://{host}:{settings().web_port}"


def _explain(error: ValidationError) -> str:
    lines = []
    for problem in error.errors():
        said = problem["msg"].removeprefix("Value error, ")
        if not problem["loc"]:  # about several settings, which it names
            lines.append(said)
            continue
        field = str(problem["loc"][0])
        annotation = str(Settings.model_fields[field])
        value = "(secret)" if "SecretStr" in annotation else repr(problem["input"])
        lines.append(f"{env_name(field)}={value}: {said}")
    return "Wrong settings:\n  " + "\n  ".join(lines)
