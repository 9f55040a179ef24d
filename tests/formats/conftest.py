import os
import warnings
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of public recordings."""
    folder = os.environ.get("ANYECG_DATA")
    if not folder:
        pytest.skip("set ANYECG_DATA to the folder of recordings")
    return Path(folder)


@pytest.fixture(scope="session")
def wfdb() -> ModuleType:
    """The reference reader; wfdb 4.3 defines its tables in a way that pandas 3.1 deprecates."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import wfdb
    return wfdb
