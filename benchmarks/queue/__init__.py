"""`headrace bench queue`: our broker beside bare Dramatiq and BullMQ, on one Redis.

Everything runs on an embedded Redis, in turn: each round measures every side
once, ratios are taken within a round, and the median of the rounds is told.
"""
