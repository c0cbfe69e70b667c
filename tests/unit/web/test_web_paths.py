"""Ids in paths: whatever an id holds, its address leads to it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from pipeline.web.paths import KeepSlashes, segment


async def _echo(request: Request) -> Response:
    return JSONResponse(dict(request.path_params))


_ROUTES = [
    Route("/users/{user_id:id}", _echo),
    Route("/users/{user_id:id}/sources/{source:id}", _echo),
]
_CLIENT = TestClient(KeepSlashes(Starlette(routes=_ROUTES)))
#: A path of dots is another path to every client; no proxy would hand it on.
_IDS = st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=40).filter(
    lambda name: name not in (".", "..")
)


@given(_IDS, _IDS)
def test_every_printable_id_is_found_again_in_its_path(user_id: str, source: str) -> None:
    assert _CLIENT.get(f"/users/{segment(user_id)}").json() == {"user_id": user_id}
    path = f"/users/{segment(user_id)}/sources/{segment(source)}"
    assert _CLIENT.get(path).json() == {"user_id": user_id, "source": source}


def test_a_slash_that_is_not_encoded_parts_the_path() -> None:
    assert _CLIENT.get("/users/a/b").status_code == 404
    assert _CLIENT.get("/users/a%2fb").json() == {"user_id": "a/b"}
    assert _CLIENT.get("/users/a%252Fb").json() == {"user_id": "a%2Fb"}
