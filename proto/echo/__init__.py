"""Echo and its small siblings: each a Protocol of a few lines and a Factory."""
