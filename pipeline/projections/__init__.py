"""Derived stores: records after the watermark go in, in order; each can be dropped and rebuilt."""
