import warnings
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def wfdb() -> ModuleType:
    """The reference reader; wfdb 4.3 defines its tables in a way that pandas 3.1 deprecates."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import wfdb
    return wfdb
