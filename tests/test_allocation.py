"""What many users of one process share: the limit on the threads of BLAS."""

import threading
from collections.abc import Iterator

import pytest

from lmu_analog.ensembles import allocation
from lmu_analog.ensembles.allocation import one_thread_each


class Libraries:
    """Stands for threadpoolctl's controller: how many threads BLAS may use now."""

    def __init__(self) -> None:
        self.threads = 8

    def limit(self, *, limits: int) -> "Libraries":
        self.threads = limits
        return self

    def restore_original_limits(self) -> None:
        self.threads = 8


@pytest.fixture
def libraries(monkeypatch: pytest.MonkeyPatch) -> Iterator[Libraries]:
    found = Libraries()
    monkeypatch.setattr(allocation, "_libraries", lambda: found)
    yield found
    assert found.threads == 8
    assert not allocation._HELD


def test_blas_has_one_thread_until_the_last_of_its_users_is_done(libraries):
    first, second = one_thread_each(), one_thread_each()
    first.__enter__()
    assert libraries.threads == 1
    second.__enter__()
    first.__exit__(None, None, None)  # the one that set the limit, not the last one
    assert libraries.threads == 1
    second.__exit__(None, None, None)
    assert libraries.threads == 8
    with one_thread_each():
        assert libraries.threads == 1


def test_blas_gets_its_threads_back_after_an_error(libraries):
    with pytest.raises(ZeroDivisionError), one_thread_each():
        raise ZeroDivisionError
    assert libraries.threads == 8


def test_users_that_come_at_once_set_the_limit_once(libraries, monkeypatch):
    # A second limit would take the first one for what was there before.
    both, set_limit, calls = threading.Barrier(2, timeout=60.0), libraries.limit, []

    def slowly(*, limits: int) -> Libraries:
        calls.append(limits)
        waited.wait(0.2)  # in which the other comes by
        return set_limit(limits=limits)

    waited = threading.Event()
    monkeypatch.setattr(libraries, "limit", slowly)

    def user() -> None:
        both.wait()
        with one_thread_each():
            both.wait()

    threads = [threading.Thread(target=user) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert calls == [1]
