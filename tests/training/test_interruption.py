from __future__ import annotations

import os
import signal
import threading

import pytest

from amidst.training.interruption import StopRequest


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_is_a_wish(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with StopRequest() as stop:
        assert not stop.is_set()
        os.kill(os.getpid(), number)
        assert stop.is_set()
        assert signal.getsignal(number) == before  # a second one acts as usual
    assert signal.getsignal(number) == before


def test_outside_the_main_thread_nothing_is_caught() -> None:
    found: list[bool] = []

    def work() -> None:
        with StopRequest() as stop:
            found.append(stop.is_set())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [False]
