"""`headrace …`: the command line.  One module per command, loaded when it is called."""
