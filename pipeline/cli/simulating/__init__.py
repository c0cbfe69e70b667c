"""Days that the sandbox's people live, and whether we find out what their habits are."""
