"""What is known of a user and done to one: shared by command line, API and admin.

listing     users a page at a time, by search, source and trouble
status      one user: connections, sources, and why each is as it is
explain     errors in plain words, and what to do
acting      sync now, dry run, listing anew, pause
activity    users who are set inactive, for whom nothing is done, and active again
leaving     disconnecting, which goes on after a crash
erasing     erasing, which does too; belongings says what there is of a user
fleet       who fails and why, over all users

Who may act on whom is checked by the caller: nothing here knows who asks.
"""
