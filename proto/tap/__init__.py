"""The command line: one module a service, each with Options and makeService."""
