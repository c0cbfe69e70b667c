"""Chaos over mailboxes: pushes lost, doubled and out of order, provider faults, killed workers;
then every rule must have run once per mail, and what we keep must be as it is at the provider."""
