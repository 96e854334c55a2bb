"""The others: the same services as the tutorials of Twisted and asyncio write them; a chat in Go.

And a log receiver in C, which is no service but the limit.

Each is a program of its own that listens on the port it is told.  Nothing is left out that a
tutorial has, and nothing is made slower than a tutorial makes it; prints of every line are left out
everywhere.
"""
