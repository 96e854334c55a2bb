"""A log receiver: whole lines in, one file out."""
