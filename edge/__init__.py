"""anyecg's runtime: an ECG goes in, measured facts and grounded answers come out."""
