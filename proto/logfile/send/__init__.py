"""A sender of lines that ends when all are on the disk: `python -m proto.logfile.send`.

    stdin or a file -> lines -> window -> wire (RELP or HTTP) -> delivery's socket

The window holds what was read and is not acknowledged; after a reconnect it is sent again.
"""
