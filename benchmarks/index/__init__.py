"""Speed of search, of e-mail, and of syncs beside AI."""
