"""anyecg's runtime: an ECG goes in, measured facts and grounded answers come out."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("anyecg-edge")
except PackageNotFoundError:  # run from a folder that was never installed
    __version__ = "0+unknown"
