"""`python -m pipeline.sandbox --port P --data FILE`"""

from __future__ import annotations

import argparse

from pipeline.sandbox.app import serve


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m pipeline.sandbox", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8085, help="0 takes a free one")
    parser.add_argument("--data", default="sandbox.sqlite3", help="SQLite file, or :memory:")
    parser.add_argument("--access-log", action="store_true")
    options = parser.parse_args()
    serve(options.host, options.port, options.data, access_log=options.access_log)


if __name__ == "__main__":
    main()
