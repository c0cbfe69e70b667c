"""`python -m pipeline.sandbox --port P --data FILE`"""

from __future__ import annotations

import argparse

from pipeline.sandbox.app import serve
from pipeline.sandbox.fields import BadField
from pipeline.sandbox.push.topics import Topic


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m pipeline.sandbox", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8085, help="0 takes a free one")
    parser.add_argument("--data", default="sandbox.sqlite3", help="SQLite file, or :memory:")
    parser.add_argument(
        "--topic",
        action="append",
        default=[],
        metavar="NAME=ENDPOINT",
        help="a Pub/Sub topic, and the address that its subscription pushes to; may be repeated",
    )
    parser.add_argument("--smtp-port", type=int, help="takes mail there; without it, none")
    parser.add_argument("--access-log", action="store_true")
    options = parser.parse_args()
    try:
        topics = [Topic.parse(text) for text in options.topic]
    except BadField as error:
        parser.error(str(error))
    serve(
        *(options.host, options.port, options.data),
        topics=topics,
        smtp_port=options.smtp_port,
        access_log=options.access_log,
    )


if __name__ == "__main__":
    main()
