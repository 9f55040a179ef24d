"""The durable recording."""
