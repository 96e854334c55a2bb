"""Network services on one Twisted reactor: echo, chat, log receiver and web."""
