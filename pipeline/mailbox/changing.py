"""Steps that change a mail: state before and after in the ledger, then a conditional call.

A step that was left `doing` by a process that died is reconciled by looking at the mail.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from bson import ObjectId

from pipeline.errors import Changed, Gone, Permanent, Transient
from pipeline.mailbox import staged_rows
from pipeline.mailbox.deeds import MOVES, Deed, deed_of, etag_of, holds
from pipeline.mailbox.running import ALREADY_SO, Run
from pipeline.stores import Row

#: How often a mail is read again that others change at the same time.
_READS = 4
#: Folders that Microsoft has in every mailbox, by action.
_WELL_KNOWN = {"archive": "archive", "delete": "deleteditems"}
_ELSEWHERE = "the mail has been moved elsewhere"


def change(run: Run, index: int) -> None:
    """Do one step that changes the mail, or write why not.

    Raises Gone if the mail is gone, Transient if it does not hold still, and whatever
    else the call raises that may pass.
    """
    _Change(run, index).do()


def reconcile(run: Run, index: int) -> None:
    """Write of a step that was begun before whether it is over, as the mail shows.

    Raises Gone if the mail is gone.
    """
    step, kind = run.steps[index], str(run.steps[index]["action_type"])
    if _is_done(kind, step, run.mail):
        run.write(index, "done")
    elif kind in MOVES and not holds(run.mail, step["before"]):
        run.write(index, "skipped", _ELSEWHERE)


class _Change:
    def __init__(self, run: Run, index: int) -> None:
        self._run = run
        self._index = index
        self._step: Row = run.steps[index]
        self._kind = str(self._step["action_type"])
        self._replaced = False

    def do(self) -> None:
        for _ in range(_READS):
            deed = self._deed()
            if self._is_needless(deed) or not self._begin(deed):
                return
            if self._call(deed):
                return
            self._run.read_again()
            if _is_done(self._kind, self._step, self._run.mail):
                # Refused because it was done: the answer to the first call was lost.
                self._end("done")
                return
        raise Transient("the mail is being changed by others")

    def _deed(self) -> Deed:
        return deed_of(self._step, self._run.mail, self._destination())

    def _destination(self) -> str:
        if self._kind not in MOVES:
            return ""
        places = self._run.hold.places
        if self._kind == "stage":
            return places.staging()
        if self._kind in _WELL_KNOWN:
            return places.well_known(_WELL_KNOWN[self._kind])
        folder_id = str(self._step["params"]["to_folder"])
        if self._kind == "put_back" and (self._replaced or places.was_deleted(folder_id)):
            return places.well_known("inbox")
        return folder_id

    def _is_needless(self, deed: Deed) -> bool:
        """Return whether there is nothing to do, once that is written."""
        if holds(self._run.mail, deed.after):
            self._end("skipped", ALREADY_SO)
            return True
        expected = self._step["params"].get("from_folder")
        if expected and not holds(self._run.mail, {"folder_id": expected}):
            self._end("skipped", _ELSEWHERE)
            return True
        if self._kind == "move" and self._run.hold.places.was_deleted(deed.after["folder_id"]):
            self._end("failed", "the folder that it is to be moved to lies in Deleted Items")
            return True
        return False

    def _begin(self, deed: Deed) -> bool:
        """Write the row before the act; False if it must not be done."""
        known: Row = {"before": deed.before, "after": deed.after}
        if self._kind == "stage":
            staged_id = self._step["params"].get("staged_id") or str(ObjectId())
            known["params"] = {**self._step["params"], "staged_id": staged_id}
        self._run.write(self._index, "doing", **known)
        self._step = self._run.steps[self._index]
        return self._kind != "stage" or self._is_staged(deed)

    def _is_staged(self, deed: Deed) -> bool:
        """Write the row of mail that is about to be staged."""
        run, staged_id = self._run, self._step["params"]["staged_id"]
        inserted = staged_rows.insert(
            ObjectId(staged_id),
            run.execution,
            run.mail,
            deed.after["folder_id"],
            run.hold.user,
            run.hold.mailbox,
            datetime.now(UTC),
        )
        if not inserted:
            self._end("skipped", "it is staged already")
        elif not staged_rows.is_open(staged_id):
            self._end("skipped", "its user has asked for it to stay")
            return False
        return inserted

    def _call(self, deed: Deed) -> bool:
        """Make the call; return whether the step is over, False if it is to be tried anew."""
        run = self._run
        try:
            answer = run.hold.client.call(
                deed.method, id=run.message_id, body=deed.body, if_match=etag_of(run.mail)
            )
        except Changed:
            return False
        except (Gone, Permanent) as refused:
            return self._is_refused(deed, refused)
        self._end("done")
        run.changed(answer)
        return True

    def _is_refused(self, deed: Deed, refused: Gone | Permanent) -> bool:
        """Return whether the step is over, after Microsoft said no: it may be the folder's end.

        Raises Gone if it is the mail that is gone.
        """
        run = self._run
        if isinstance(refused, Gone) and run.is_gone():
            raise refused
        missing = self._kind in MOVES and not run.hold.places.exists(deed.after["folder_id"])
        if missing and self._kind == "stage":
            run.hold.places.staging_again()
            return False
        if missing and self._kind == "put_back" and not self._replaced:
            self._replaced = True
            return False
        why = "the folder that it is to be moved to is gone" if missing else str(refused)
        self._end("failed", why)
        return True

    def _end(self, state: str, error: str = "") -> None:
        self._run.write(self._index, state, error)


def _is_done(kind: str, step: Row, mail: Mapping[str, Any]) -> bool:
    if kind == "categorize":  # others may have added some as well
        return str(step["params"]["category"]).casefold() in {
            str(name).casefold() for name in mail.get("categories") or ()
        }
    return holds(mail, step["after"])
