"""What pages, the API and the command line read of outreach; nothing is changed by it.

Everything is of one tenant: what is another's is Gone, as if it were not there.  Addresses,
names and subjects are masked unless `reveal` says otherwise.  Lists come a page at a time:
`next` of a page is the `after` of the one behind it, empty at the end.
"""
