"""The fixture `ckan`: one real CKAN for the whole test run, or a skip that says why there is none."""

from collections.abc import Iterator

import pytest

from deploy.ckan.stack import CkanStack, missing


@pytest.fixture(scope="session")
def ckan() -> Iterator[CkanStack]:
    """A CKAN that other tests share: call `ckan.reset()` before relying on what it holds."""
    if (reason := missing()) is not None:
        pytest.skip(reason)
    with CkanStack() as stack:
        yield stack
