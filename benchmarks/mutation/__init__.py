"""What the tests notice of a bufsim that is broken, one operator at a time."""
