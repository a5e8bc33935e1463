"""What holds for every test."""

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import settings

from ecosystem.runs.warm import compile_model

# The same examples in every run: nothing lands or fails by chance. Fresh ones are for campaigns:
# `pytest --hypothesis-profile=fresh`.
settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("fresh", deadline=None)
settings.load_profile("same")


def pytest_configure() -> None:
    """Compile the model once, before workers share it."""
    compile_model()


@pytest.fixture(autouse=True)
def global_random_state_is_left_alone() -> Iterator[None]:
    """Fail a test that draws from or seeds NumPy's global generator: chance is keyed."""
    generator = np.random.mtrand.get_bit_generator()
    before = generator.state
    yield
    after = generator.state
    generator.state = before
    same = before["state"]["pos"] == after["state"]["pos"] and np.array_equal(
        before["state"]["key"], after["state"]["key"]
    )
    if not same:
        pytest.fail("the test changed NumPy's global random state")
