"""What came out of a run: tables, metrics, plots."""
