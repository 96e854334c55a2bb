"""The others: the same services as the tutorials of Twisted and asyncio write them, and in Go.

And in C, which is no service but the limit.

Each is a program of its own that listens on the port it is told.  Nothing is left out that a
tutorial has, and nothing is made slower than a tutorial makes it; prints of every line are left out
everywhere.

web_proto, web_twisted, web_wsgi and web_asgi are no programs: a web server is told to serve them.
"""
