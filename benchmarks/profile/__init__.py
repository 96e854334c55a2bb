"""Where our services spend their time under the loads of the benchmarks.

    python -m benchmarks.profile [--seconds S] [--flame FOLDER] [--no-native] [NAME ...]

A subject is a service of ours with the load of one case (`echo: 64 connections`).  It runs several
rounds, each with a server of its own, as in a benchmark: one that nobody looks at, which tells the
rate and the CPU seconds; one that py-spy looks at, 500 times a second and in all threads, which
tells the functions; and one with perf, where that is installed and allowed, which tells the system
calls.  A record begins and ends with what the load measures: who connects before is not in it.

py-spy (the extra `bench`) needs the right to trace other processes, which root has.  It takes a
thread that was woken and waits for a core for one that runs, and one that waits for the disk, too:
on a busy machine `epoll_wait` seems to cost more than it does, and `fdatasync` always does.  perf
counts only what is on a core.
"""
