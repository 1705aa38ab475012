"""For every test: one thread, since two wait for each other wherever something else runs too,
PyTorch as the core that writes, since tests hand it models that are no plain ones, and no waiting
for a disk."""

import gc
import os
from collections.abc import Iterator
from typing import Any

import pytest
import torch

torch.set_num_threads(1)
os.environ.setdefault("INKLING_CORE", "torch")
# A test's files need not outlast the machine, and there are ten thousand of them.
os.fsync = lambda fd: None
# What is imported stays: to look through it for garbage took half of the time of collecting.
gc.disable()


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


@pytest.fixture(autouse=True)
def the_machine_as_it_was() -> Iterator[None]:
    """A training sets the process up for itself: the next test finds it as this one did."""
    threads, precision = torch.get_num_threads(), torch.get_float32_matmul_precision()
    yield
    torch.set_num_threads(threads)
    torch.set_float32_matmul_precision(precision)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Any]:
    """A PostgreSQL (`tests.support.postgres`), started for the first test that asks for one."""
    from tests.support.postgres import programs, running_cluster

    if (bin := programs()) is None:
        if os.environ.get("INKLING_REQUIRE_POSTGRES") == "1":
            pytest.fail("no PostgreSQL: apt-get install postgresql")
        pytest.skip("no PostgreSQL on this machine")
    with running_cluster(bin) as cluster:
        yield cluster
