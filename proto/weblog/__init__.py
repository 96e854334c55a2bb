"""The log on the web: lines in by POST, the live tail and the search out."""
