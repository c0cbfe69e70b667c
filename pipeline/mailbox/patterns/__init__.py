"""Patterns: what a user always does with mail of a sender, found, suggested, decided on.

    events ──▶ habits ──▶ detected ⇄ suggested ──approve──▶ approved: a rule does it
             (confidence)     │          │    ◀─unapprove──
                              ▼          ▼
                           expired    rejected, for a while or for good

`nightly` says when a mailbox is looked at, `analysis` looks, and `lifecycle` is what users and
operators decide.  What rules do is no habit: mail that automation has touched counts for nothing.
"""
