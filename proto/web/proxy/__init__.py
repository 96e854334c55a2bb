"""Other HTTP servers in our tree: one request goes to one of them, and its answer comes back."""
