"""A line chat for telnet and netcat: rooms that know no sockets, and a front door to them."""
