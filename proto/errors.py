"""The refusals that cross module borders.

A refusal is a type.  It is raised where the rule lives and caught once, at the edge: at the
connection for a `PeerError`, at the command line for a `StartError`.
"""


class PeerError(Exception):
    """A refusal whose text is safe to show to the peer."""


class StartError(Exception):
    """The service cannot start; the text is one line that names the remedy."""
