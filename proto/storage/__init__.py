"""State that outlives the process: what others keep through a protocol of their own, on disk."""
