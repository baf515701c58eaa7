"""Holding bufsim to what it claims: the record, the server, the engines, theory, its own intervals."""
