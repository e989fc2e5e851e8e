"""Starts Python programs by forking one that has read its libraries already: the suite starts hundreds of them."""
