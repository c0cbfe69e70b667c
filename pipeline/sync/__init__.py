"""The sync engine: from provider pages to durable records, once and in order."""
