"""Files of contacts: importing one, and what became of its rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.datastructures import UploadFile

from pipeline.outreach import csv_files, importing
from pipeline.outreach.reading import contacts
from pipeline.refusals import Refused
from pipeline.web.admin.outreach.common import (
    PER_PAGE,
    TENANT,
    framed,
    on_tenant,
    paged,
    said,
    url_of,
)
from pipeline.web.pages import Done, NotFound, Visit, action, page
from pipeline.web.paths import segment

#: Where files go, which may be longer than what other forms send.
UPLOADS = "/admin/outreach-imports/"
MOST_BYTES = 64 * 1024 * 1024
_PROBLEMS_PER_PAGE = 200
_LIST = f"{TENANT}/contacts/imports"


def _read(visit: Visit) -> Mapping[str, Any]:
    tenant_id = visit.path["tenant_id"]

    def read() -> dict[str, Any]:
        return paged(visit, (), contacts.imports(tenant_id, PER_PAGE, after=said(visit, "after")))

    return framed(visit, "/contacts", read, below="imports") | {
        "list_url": f"{url_of(tenant_id)}/contacts/imports",
        "post_url": f"{UPLOADS}{segment(tenant_id)}",
        "most": MOST_BYTES // 1024 // 1024,
    }


def _read_one(visit: Visit) -> Mapping[str, Any]:
    tenant_id, after = visit.path["tenant_id"], _after(visit)

    def read() -> dict[str, Any]:
        report = contacts.one_import(tenant_id, visit.path["import_id"])
        behind = [one for one in report["problems"] if one["row"] > after]
        shown = behind[:_PROBLEMS_PER_PAGE]
        more = len(behind) > len(shown)
        return {
            "report": report,
            "problems": shown,
            "kept": len(report["problems"]),
            "next": f"?after={shown[-1]['row']}" if more else "",
            "first": "?" if after else "",
        }

    list_url = f"{url_of(tenant_id)}/contacts/imports"
    return framed(visit, "/contacts", read, below="import") | {"list_url": list_url}


def _after(visit: Visit) -> int:
    text = said(visit, "after") or "0"
    if not text.isascii() or not text.isdecimal() or len(text) > 9:
        raise NotFound("This address does not name a place in the list.")
    return int(text)


def _import(visit: Visit, tenant_id: str) -> Done:
    file = visit.form.get("file")
    if not isinstance(file, UploadFile) or not file.filename:
        raise Refused("file", "choose a file first")
    report = importing.import_csv(
        tenant_id,
        csv_files.decoded(file.file),
        file_name=file.filename,
        by=visit.principal.name,
    )
    told = f"Read {report['rows']:,} rows: {report['created']:,} new, {report['updated']:,} changed"
    told += f", {report['unchanged']:,} as before, {report['rejected']:,} not taken."
    location = f"{url_of(tenant_id)}/contacts/imports/{segment(report['_id'])}"
    return Done(told, {"rows": report["rows"], "rejected": report["rejected"]}, location)


routes = [
    page(_LIST, "outreach/imports", _read, title="Imports", nav="outreach", seconds=3),
    page(
        f"{_LIST}/{{import_id:id}}",
        "outreach/import",
        _read_one,
        title="Import",
        nav="outreach",
        seconds=3,
    ),
    action(f"{UPLOADS}{{tenant_id:id}}", on_tenant(_import), name="contacts.import"),
]
