"""A client for scripts and examples: `python -m proto.client`."""
