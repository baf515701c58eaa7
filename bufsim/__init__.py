"""bufsim simulates job buffers, so that you can choose a flush policy with evidence."""

__version__ = "0.1.0"
