"""What must hold in the end, whatever went wrong on the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from benchmarks.chaos.findings import Findings
from benchmarks.chaos.platform.plan import Person, Plan
from models import AiRequest, AiUsage, EmailDelivery, SearchRebuild
from models.ai import AI_OPEN
from models.email import EMAIL_OPEN
from pipeline.projections import search
from pipeline.sandbox.client import SandboxClient
from pipeline.stores import Row, collection
from pipeline.verify import verify

#: A mail that arrived is one of these, and in the end no mail is another.
_MAY_BE_THERE = ("sent", "unknown")


@dataclass(slots=True, kw_only=True)
class Verdict(Findings):
    """What was found: complaints, and counts by what was counted."""

    places: int = 0
    records: int = 0
    differences: int = 0
    requests: Counter[str] = field(default_factory=Counter)
    mails: Counter[str] = field(default_factory=Counter)
    calls: int = 0


def unrest(plan: Plan) -> dict[str, int]:
    """Return how much is on its way, by what it is."""
    whose = {"tenant_id": {"$in": _tenants(plan)}}
    counts = {
        "requests to AI": collection(AiRequest).count_documents(
            whose | {"status": {"$in": list(AI_OPEN)}}
        ),
        "mails": collection(EmailDelivery).count_documents(
            whose | {"status": {"$in": list(EMAIL_OPEN)}}
        ),
        "rebuilds": collection(SearchRebuild).count_documents({"status": {"$ne": "done"}}),
    }
    return {what: count for what, count in counts.items() if count}


def check(plan: Plan, sandbox: SandboxClient) -> Verdict:
    """Compare everything with the sandbox's truth, and each tenant's with what is its own."""
    found = Verdict(seed=plan.seed)
    for person in plan.people:
        compared = verify(person.user, sandbox, search=True)
        found.records += sum(compared.records.values())
        found.differences += compared.differences
        found.complaints += [f"{person.user}: {example}" for example in compared.examples]
        found.complaints += _seen_by_others(plan, person)
    for tenant_id in _tenants(plan):
        rows = list(collection(AiRequest).find({"tenant_id": tenant_id}))
        found.requests.update(row["status"] for row in rows)
        found.calls += collection(AiUsage).count_documents({"tenant_id": tenant_id})
        for row in rows:
            found.complaints += [f"request {row['_id'][:8]}: {p}" for p in _problems(plan, row)]
        sent = collection(EmailDelivery).find({"tenant_id": tenant_id})
        found.mails.update(row["status"] for row in sent)
    found.complaints += _mail_problems(plan, sandbox)
    return found


def _mail_problems(plan: Plan, sandbox: SandboxClient) -> Iterator[str]:
    """Tell of mail that came twice, to somebody else, or that is not what our rows say."""
    inbox: Counter[tuple[str, str]] = Counter()
    for entry in sandbox.inbox():
        inbox[entry["to"], entry["subject"]] += 1
    for person in plan.people:
        rows = collection(EmailDelivery).find({"user_id": person.user})
        states = {f"{row['key']} {person.secret}": row["status"] for row in rows}
        for (to, subject), times in inbox.items():
            if to != person.address:
                continue
            if times > 1:
                yield f"{to} got {subject} {times} times"
            if states.get(subject) not in _MAY_BE_THERE:
                yield f"{to} got {subject}, which is {states.get(subject)}"
        for subject, status in states.items():
            if status == "sent" and not inbox[person.address, subject]:
                yield f"{person.address} did not get {subject}, which is sent"
            if status not in _MAY_BE_THERE:
                yield f"{subject} of {person.address} is {status}"


def _tenants(plan: Plan) -> list[str]:
    return sorted({person.tenant for person in plan.people})


def _seen_by_others(plan: Plan, person: Person) -> Iterator[str]:
    """Tell of what another tenant finds of a person: nobody else has the person's address."""
    for tenant_id in _tenants(plan):
        found = search.find(tenant_id, person.user, limit=100)
        strangers = {hit.user_id for hit in found.hits} - {
            one.user for one in plan.people if one.tenant == tenant_id
        }
        if strangers:
            yield f"{person.user}: {tenant_id} finds what is of {', '.join(sorted(strangers))}"


def _problems(plan: Plan, row: Row) -> Iterator[str]:
    if row["status"] == "failed":
        yield f"{row['type']} has failed: {row.get('error')}"
    foreign = {one.secret for one in plan.people if one.tenant != row["tenant_id"]}
    told = str(row.get("result"))
    if any(secret in told for secret in foreign):
        yield "its result tells what another tenant has"
    owners = {one.user for one in plan.people if one.tenant == row["tenant_id"]}
    if row.get("user_id") and row["user_id"] not in owners:
        yield "it is about another tenant's user"
    answered = {"request_id": row["_id"], "answered": True}
    if row["status"] == "done" and not collection(AiUsage).count_documents(answered):
        yield "it was answered, and nothing was used"
