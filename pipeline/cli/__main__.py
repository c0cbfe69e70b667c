"""`python -m pipeline.cli` is `headrace`, also where its script is not on the path."""

from pipeline.cli.main import main

main()
