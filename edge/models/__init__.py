"""Models that ship with anyecg."""
