"""`headrace outreach contacts`: people to write to, and files of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.acting import By
from pipeline.cli.output import (
    AsJson,
    age,
    console,
    examples,
    print_json,
    table,
)
from pipeline.cli.outreach.common import (
    DEFAULT,
    After,
    Limit,
    Reveal,
    Tenant,
    acting,
    contact_of,
    opened,
    tell,
    tell_done,
    tell_one,
)

if TYPE_CHECKING:
    from pipeline.stores import Row

app = typer.Typer(rich_markup_mode="rich", help="People to write to.")
Contact = Annotated[
    str, typer.Argument(metavar="CONTACT", help="An id, address, number or external id.")
]


@app.callback(
    invoke_without_command=True,
    epilog=examples(
        "headrace outreach contacts",
        "headrace outreach contacts import people.csv --tenant acme",
        "headrace outreach contacts show ada@shop.example",
    ),
)
def contacts(context: typer.Context, *, tenant: Tenant = DEFAULT, as_json: AsJson = False) -> None:
    """People to write to; without a command, list them."""
    if context.invoked_subcommand is None:
        list_contacts(tenant=tenant, as_json=as_json)


@app.command(
    "list",
    epilog=examples(
        "headrace outreach contacts list --search ada@",
        "headrace outreach contacts list --import 0f3c… --reveal",
    ),
)
def list_contacts(
    *,
    tenant: Tenant = DEFAULT,
    search: Annotated[
        str, typer.Option(help="How an address or number begins, or an external id.")
    ] = "",
    import_id: Annotated[str, typer.Option("--import", help="Only those of this import.")] = "",
    limit: Limit = 50,
    after: After = "",
    reveal: Reveal = False,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """List contacts, the newest first."""
    from pipeline.outreach.reading import contacts as reading

    opened(tenant, "contacts", by, reveal=reveal)
    page = reading.listed(tenant, limit, after=after, search=search, import_id=import_id)
    found = [_document(row, reveal=reveal) for row in page.rows]
    now = datetime.now(UTC)
    columns = ("id", "email", "phone", "name", "company", "time zone", "since")
    rows = [
        (
            one["id"],
            one["email"],
            one["phone"],
            one["name"],
            one["company"],
            one["time_zone"],
            "forgotten" if one["forgotten_at"] else age(one["created_at"], now),
        )
        for one in found
    ]
    empty = "There are no such contacts; `headrace outreach contacts import FILE` adds some."
    tell("contacts", found, columns, rows, as_json=as_json, following=page.next, empty=empty)


@app.command(epilog=examples("headrace outreach contacts show ada@shop.example --reveal"))
def show(
    contact: Contact,
    *,
    tenant: Tenant = DEFAULT,
    reveal: Reveal = False,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Tell of one contact, and where it is in which campaign."""
    from pipeline.outreach.reading import campaigns
    from pipeline.outreach.reading import contacts as reading

    opened(tenant, "contacts", by, reveal=reveal)
    row = contact_of(tenant, contact)
    enrollments = reading.enrollments_of(tenant, row["_id"])
    called = campaigns.names(tenant, [one["campaign_id"] for one in enrollments])
    document = _document(row, reveal=reveal) | {
        "enrollments": [
            {
                "id": one["_id"],
                "campaign": called.get(one["campaign_id"]),
                "status": one["status"],
                "node": one.get("node_id"),
            }
            for one in enrollments
        ]
    }
    if as_json:
        print_json(document)
        return
    names = ("id", "external_id", "email", "phone", "name", "company", "time_zone")
    shown: list[tuple[str, Any]] = [(name.replace("_", " "), document[name]) for name in names]
    shown += [(name, str(value)) for name, value in document["fields"].items()]
    shown += [("forgotten", "yes")] if document["forgotten_at"] else []
    tell_one(document, shown, as_json=False)
    rows = [(o["id"], o["campaign"], o["status"], o["node"]) for o in document["enrollments"]]
    if rows:
        console().print(table("Campaigns", ("enrollment", "campaign", "status", "at"), rows))


@app.command(epilog=examples("headrace outreach contacts forget ada@shop.example --yes"))
def forget(
    contact: Contact,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    tenant: Tenant = DEFAULT,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Remove all that says who a contact was. There is no way back; suppressions stay."""
    from pipeline.cli.users import confirm
    from pipeline.outreach import contacts as service

    who = acting(by)
    row = contact_of(tenant, contact)
    confirm("Forget this contact for ever?", yes=yes)
    done = service.forget(tenant, row["_id"], by=who)
    document = {
        "id": row["_id"],
        "messages": done.messages,
        "enrollments": done.enrollments,
        "was_forgotten": done.before,
    }
    text = f"Forgotten: {done.messages} messages name nobody now, {done.enrollments} enrollments "
    tell_done(document, f"{text}were stopped.", as_json=as_json)


def _document(row: Row, *, reveal: bool) -> dict[str, Any]:
    from pipeline.outreach.reading import names

    fields = row.get("fields") or {}
    return {
        "id": row["_id"],
        "external_id": row.get("external_id"),
        "email": names.address(row.get("email"), reveal=reveal) or None,
        "phone": names.address(row.get("phone"), reveal=reveal) or None,
        "name": names.full_name(row, reveal=reveal) or None,
        "company": row.get("company"),
        "time_zone": row.get("time_zone"),
        "fields": fields if reveal else dict.fromkeys(fields, "…"),
        "import": row.get("import_id"),
        "forgotten_at": row.get("forgotten_at"),
        "created_at": row["created_at"],
    }
