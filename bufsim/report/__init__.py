"""The capacity-planning report: one HTML file, and beside it every number as JSON and CSV."""
