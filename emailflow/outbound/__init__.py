"""Mail out: who hears of what, what it looks like, whether it may leave, and its way to the server."""
