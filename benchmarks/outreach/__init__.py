"""How fast campaigns begin, send and listen, and how late what is due is picked up."""
