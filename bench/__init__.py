"""Accuracy and cost, measured: each module is one `anyecg bench NAME`."""
