"""Signal quality."""
