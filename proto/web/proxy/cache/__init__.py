"""Answers of other servers, kept and given again by the rules of RFC 9111."""
