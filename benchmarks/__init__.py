"""How fast bufsim runs, and beside what: measured side by side in one run."""
