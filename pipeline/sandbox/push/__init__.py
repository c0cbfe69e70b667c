"""Google's push side: who watches what, what they are told, and how it reaches them.

Calendar speaks to an address of the client's through a *channel*; Gmail publishes to a Pub/Sub
*topic*, whose subscription pushes to an endpoint.  Both are a `Watch` here, a row; what waits to
be told is a row too, written in the transaction of the change that it tells of.  So neither a
restart nor a kill loses one: a change is followed by a notification, unless a fault, Gmail's own
limit or the end of the watch says otherwise.
"""
