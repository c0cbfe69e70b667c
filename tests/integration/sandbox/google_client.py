"""The real client libraries against the sandbox; every good answer is checked on its way."""

from __future__ import annotations

import json
import sys
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any

import googleapiclient.discovery_cache
from google.auth.transport.requests import Request
from google.oauth2.credentials import Credentials
from google_auth_httplib2 import AuthorizedHttp
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError
from googleapiclient.http import BatchHttpRequest, HttpRequest, build_http

sys.path.append(str(Path(__file__).parents[2] / "unit" / "sandbox"))
import discovery_shapes

_DOCUMENTS = Path(googleapiclient.discovery_cache.__file__).parent / "documents"
_VERSIONS = {"calendar": "v3", "gmail": "v1", "people": "v1", "tasks": "v1"}

#: Ids of the methods whose answers have been checked in this session.
CHECKED: set[str] = set()


@cache
def _methods(document: str) -> dict[str, Any]:
    """Method id: its description, from a discovery document."""
    found: dict[str, Any] = {}

    def collect(resource: dict[str, Any]) -> None:
        for method in resource.get("methods", {}).values():
            found[method["id"]] = method
        for inner in resource.get("resources", {}).values():
            collect(inner)

    collect(json.loads((_DOCUMENTS / f"{document}.json").read_text(encoding="utf-8")))
    return found


def check_answer(document: str, method_id: str, answer: Any) -> None:
    """Raise WrongShape unless the answer fits the schema of its method."""
    CHECKED.add(method_id)
    response = _methods(document)[method_id].get("response")
    if response is None:
        assert not answer, f"{method_id} has no answer by its description"
        return
    # The helper's own entry point takes items; here it is whole answers.
    schemas = discovery_shapes._schemas(document)
    discovery_shapes._check(schemas, response, answer, method_id)


def _checking_request(
    document: str, http: Any, postproc: Any, *args: Any, methodId: str, **options: Any
) -> HttpRequest:
    def checked(response: Any, content: bytes) -> Any:
        answer = postproc(response, content)
        check_answer(document, methodId, answer)
        return answer

    return HttpRequest(http, checked, *args, methodId=methodId, **options)


class Google:
    """One user's services at `base_url`, from an authorized-user file's content."""

    def __init__(self, base_url: str, authorized_user: dict[str, Any]) -> None:
        self.base_url = base_url
        self.credentials = Credentials(
            None,
            refresh_token=authorized_user["refresh_token"],
            token_uri=authorized_user["token_uri"],
            client_id=authorized_user["client_id"],
            client_secret=authorized_user["client_secret"],
            scopes=authorized_user["scopes"],
        )
        self._http = AuthorizedHttp(self.credentials, http=build_http())

    def service(self, name: str, *, checked: bool = True) -> Any:
        document = f"{name}.{_VERSIONS[name]}"
        path = "calendar/v3/" if name == "calendar" else ""
        options = {"requestBuilder": partial(_checking_request, document)} if checked else {}
        return build(
            name,
            _VERSIONS[name],
            http=self._http,
            client_options={"api_endpoint": f"{self.base_url}/{path}"},
            cache_discovery=False,
            **options,
        )

    @cached_property
    def calendar(self) -> Any:
        return self.service("calendar")

    @cached_property
    def gmail(self) -> Any:
        return self.service("gmail").users()

    @cached_property
    def people(self) -> Any:
        return self.service("people").people()

    @cached_property
    def tasks(self) -> Any:
        return self.service("tasks")

    def batch(self, path: str = "/batch/gmail/v1") -> Batch:
        if not self.credentials.valid:
            self.refresh()  # the library's own refresh before a batch leaks its connection
        return Batch(f"{self.base_url}{path}", self._http)

    def refresh(self) -> None:
        self.credentials.refresh(Request())

    def close(self) -> None:
        self._http.close()


class Batch:
    """A batch that keeps its answers and errors by request id."""

    def __init__(self, uri: str, http: Any) -> None:
        self.answers: dict[str, Any] = {}
        self.errors: dict[str, HttpError] = {}
        self._http = http
        self._batch = BatchHttpRequest(callback=self._keep, batch_uri=uri)

    def add(self, request: HttpRequest, request_id: str) -> None:
        self._batch.add(request, request_id=request_id)

    def execute(self) -> None:
        self._batch.execute(http=self._http)

    def _keep(self, request_id: str, answer: Any, error: HttpError | None) -> None:
        if error is None:
            self.answers[request_id] = answer
        else:
            self.errors[request_id] = error


def pages(method: Any, **params: Any) -> list[dict[str, Any]]:
    """Every page of a listing."""
    found = [method(**params).execute()]
    while "nextPageToken" in found[-1]:
        found.append(method(**params, pageToken=found[-1]["nextPageToken"]).execute())
    return found


def reason(error: HttpError) -> str:
    """The reason of a refusal, old style or new."""
    body = json.loads(error.content)["error"]
    if "errors" in body:
        return str(body["errors"][0]["reason"])
    return str(body["details"][0]["reason"] if "details" in body else body["status"])
