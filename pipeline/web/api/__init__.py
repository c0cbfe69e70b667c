"""The API for programs, at /api/v1: https://spec.openapis.org/oas/v3.1.0"""

from starlette.routing import BaseRoute

from pipeline.web.api.app import make_api
from pipeline.web.api.mounting import ApiMount

api = make_api()
routes: list[BaseRoute] = [ApiMount("/api/v1", app=api, name="api")]

__all__ = ["api", "routes"]
