"""What mail servers report: bounces, delays, deliveries (RFC 3464) and complaints (RFC 5965). Used by ``parse``.

Pure, and linear on any text: every pattern is bounded, and only the first part of a notice is read.
"""
