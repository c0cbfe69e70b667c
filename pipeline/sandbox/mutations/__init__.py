"""The changes that people make to what they keep at Google, one module per source."""
