"""A web server as a twisted.web resource tree."""
