"""How fast the web is: webhooks, pages, and the way from a change to the graph."""
