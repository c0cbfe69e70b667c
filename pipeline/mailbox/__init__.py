"""Mailboxes: observe what happens to mail, learn habits from it, act on consent, undo.

    records as landed ──▶ observing: events, and which rule each new mail meets
                              │                         │
                     patterns: habits            ledger of executions
                              │  approved               │
                            rules ◀──────────           ▼
                                            working: acts, staging, undo

*Observe*: `observing` reads what landed of `microsoft_mail`, whether it came by push or by a
delta sync, compares it with what it saw last (`diffing`) and writes events.
*Learn*: `patterns` finds habits in the events and suggests them; only a user makes one a rule.
*Act*: the first rule that matches (`matching`, `guards`) gives a row in the ledger; `working`
executes it.  What a rule deletes waits in a folder first (`staging`).  Nothing is ever deleted
for good.
*Undo*: every act has its state before it in the audit; `undo` leads back to that.

What an event tells of a rule's own act is marked so: automation is no habit.
"""
