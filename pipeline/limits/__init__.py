"""What providers allow us, and the ledger that gives it out."""
