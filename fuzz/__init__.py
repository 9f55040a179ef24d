"""Arbitrary bytes through everything that reads bytes from the air."""
