"""Finds what of a reply is new: where the quoted text and the signature begin. Pure text work, no tables."""
