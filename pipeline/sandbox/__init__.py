"""A local Google over HTTP: OAuth, Calendar, Gmail, People and Tasks, with faults and quotas.

It speaks to the real client libraries, keeps a true state per user in one SQLite file, and is
told what to do over `/control`.  It imports nothing else of ours.
"""
