"""What all tests share."""

import pytest
import torch


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    # the tests' tensors are small; several threads would only wait for each other, and for other processes of the tests
    torch.set_num_threads(1)
