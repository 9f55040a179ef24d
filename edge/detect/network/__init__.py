"""The annotator network: what goes in, the session that runs it, and what its outputs mean."""
