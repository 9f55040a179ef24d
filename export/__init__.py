"""Checkpoints to bundles: what the runtime loads is written here, with hashes and licence."""
