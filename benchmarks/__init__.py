"""How fast each service is, beside the versions that the tutorials show.

    python -m benchmarks [--quick] [--sink] [--tmpfs] [--write docs] [NAME ...]

A case is one task (`chat: 100 readers`) for several contestants, of which ours is the first.  Their
servers run as subprocesses on free ports of 127.0.0.1, and are measured in turn, round by round
(A B C, A B C ...), so that what slows the machine down for a while slows down everybody.  Printed
are the median of the rounds, their spread, and how ours compares; `figures` says when it refuses
to compare.  `make bench` also writes docs/benchmarks.md, with a chart for each case.
`python -m benchmarks.memory` prints what a chat client costs in memory.

The servers' folders are on a disk, or the tables of the chat and of the log receiver say that they
are not.  What is written in Go or C, uvloop, socat, ngircd, rsyslog, syslog-ng, nginx and the web
servers from PyPI (the extra `bench`) take part where they are installed, or what builds them; the
tables say who is left out.  Linux only: the load is made with epoll, and /proc tells what a server
takes.
"""
