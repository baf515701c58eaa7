"""Results of a run: tables, metrics, files."""
