"""Programs that answer requests by the Common Gateway Interface (RFC 3875)."""
