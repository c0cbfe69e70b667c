"""`/connect/<provider>`: a user lets us read an account, by a link that an application gave them.

    GET  /connect/google?t=…        what is asked for, with a box for each source
    POST /connect/google            begins: a redirect to the provider's consent page
    GET  /connect/google/callback   the provider sends the user back here

If all that was asked for is granted, the user goes on to the link's return address, with
`status=connected`, the `provider` and the opened `sources` in the query.  In every other
case a page says what happened and has the ways on.  The pages work without scripts.
"""

from starlette.routing import BaseRoute, Route

from pipeline.web.connect.pages import ask, begin, callback

routes: list[BaseRoute] = [
    Route("/connect/{provider}", ask, methods=["GET"], name="connect"),
    Route("/connect/{provider}", begin, methods=["POST"], name="connect.begin"),
    Route("/connect/{provider}/callback", callback, methods=["GET"], name="connect.callback"),
]
