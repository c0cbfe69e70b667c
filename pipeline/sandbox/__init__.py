"""A local Google and a local Microsoft over HTTP, with faults and quotas: OAuth, Calendar, Gmail,
People and Tasks here, sign-in and mail there.

It speaks to the real client libraries, keeps a true state per user in one SQLite file, and is
told what to do over `/control`.  It imports nothing else of ours.
"""
