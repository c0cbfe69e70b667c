"""Where mail is put: the folders that Microsoft knows by name, and the one for staged mail."""

from __future__ import annotations

from datetime import UTC, datetime

from models import Mailbox
from pipeline.clients.microsoft import MicrosoftClient
from pipeline.config import settings
from pipeline.errors import Gone, Permanent
from pipeline.mailbox import mailboxes
from pipeline.mailbox.folders import Folders
from pipeline.stores import Row, collection

_FOLDER = "GET /me/mailFolders/{id}"
_PAGE = 100


class Places:
    """The folders of one mailbox, as far as acts on its mail need them.

    What landed tells most; what landed too late is seen when Microsoft refuses a call.
    """

    def __init__(self, mailbox: Row, client: MicrosoftClient) -> None:
        self._mailbox = mailbox
        self._client = client
        self._landed: Folders | None = None
        self._well_known: dict[str, str] = {}
        self._staging = ""

    def well_known(self, name: str) -> str:
        """Return the id of `inbox`, `archive` or `deleteditems`.

        Raises Permanent if the mailbox has no such folder.
        """
        if name not in self._well_known:
            self._well_known[name] = self.landed.well_known(name) or self._asked(name)
        return self._well_known[name]

    def exists(self, folder_id: str) -> bool:
        """Return whether Microsoft has a folder of this id."""
        try:
            self._read(folder_id)
        except (Gone, Permanent):
            return False
        return True

    def was_deleted(self, folder_id: str) -> bool:
        """Return whether a folder lies in Deleted Items, as far as has landed."""
        bin_id = self.landed.well_known("deleteditems")
        if bin_id is None or folder_id not in self.landed:
            return False
        return self.landed.path(folder_id).startswith(f"{self.landed.path(bin_id)} / ")

    def staging(self) -> str:
        """Return the id of the folder in which mail waits: the one there is, or a new one."""
        if not self._staging:
            stored = str(self._mailbox.get("staging_folder_id") or "")
            usable = stored and not self.was_deleted(stored)
            self._staging = stored if usable else self._found_or_made()
        return self._staging

    def staging_again(self) -> str:
        """Return the id of the folder in which mail waits, after the known one was deleted."""
        self._staging = self._found_or_made()
        return self._staging

    @property
    def landed(self) -> Folders:
        """The folders that have landed."""
        if self._landed is None:
            self._landed = mailboxes.folders(self._mailbox)
        return self._landed

    def _asked(self, name: str) -> str:
        try:
            return str(self._read(name)["id"])
        except Gone:
            raise Permanent(f"the mailbox has no folder {name}") from None

    def _read(self, folder_id: str) -> Row:
        return self._client.call(_FOLDER, id=folder_id, select="id,displayName,parentFolderId")

    def _found_or_made(self) -> str:
        folder_id = self._named(settings().staging_folder_name) or self._made()
        self._mailbox["staging_folder_id"] = folder_id
        collection(Mailbox).update_one(
            {"_id": self._mailbox["_id"]},
            {"$set": {"staging_folder_id": folder_id, "updated_at": datetime.now(UTC)}},
        )
        return folder_id

    def _named(self, name: str) -> str | None:
        """Return the folder of this name at the top, where none that was deleted can be."""
        page = self._client.call("GET /me/mailFolders", top=_PAGE, select="id,displayName")
        while True:
            for folder in page.get("value", ()):
                if str(folder.get("displayName", "")).casefold() == name.casefold():
                    return str(folder["id"])
            if not page.get("@odata.nextLink"):
                return None
            page = self._client.call("GET", url=page["@odata.nextLink"])

    def _made(self) -> str:
        name = settings().staging_folder_name
        made = self._client.call("POST /me/mailFolders", body={"displayName": name})
        return str(made["id"])
