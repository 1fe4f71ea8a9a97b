"""The share of the cores that other programs use."""

import subprocess
import sys
import time

import pytest

from compare_gan.backend import other_load
from compare_gan.backend.other_load import OtherLoad, busy_ticks

# user nice system idle iowait irq softirq steal guest guest_nice
STAT = """cpu  99 99 99 99 99 99 99 99 0 0
cpu0 1 2 4 99 99 8 16 32 64 128
cpu1 100 0 0 9 9 0 0 0 0 0
"""


def test_ticks_of_the_cores_of_this_process_that_are_not_idle_count():
    assert busy_ticks(STAT, [0]) == 63
    assert busy_ticks(STAT, {0, 1}) == 163
    assert busy_ticks(STAT, [7]) == busy_ticks("", [0]) == 0


def _used(seconds, monkeypatch):
    """The share that others used of two seconds of two cores."""
    moments = iter((10.0, 12.0))
    monkeypatch.setattr(other_load, "_seconds_of_others", iter((5.0, 5.0 + seconds)).__next__)
    monkeypatch.setattr(other_load.time, "perf_counter", lambda: next(moments))
    monkeypatch.setattr(other_load, "available_cores", lambda: 2)
    return OtherLoad().share()


# The last two because of the coarseness of ticks.
@pytest.mark.parametrize(("seconds", "share"), ((0.0, 0.0), (1.0, 0.25), (4.1, 1.0), (-0.1, 0.0)))
def test_the_share_is_that_of_all_cores(monkeypatch, seconds, share):
    assert _used(seconds, monkeypatch) == share


_ON_LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux counts")


@_ON_LINUX
def test_another_program_is_noticed():
    before = other_load._seconds_of_others()
    script = "import time\nwhile time.process_time() < 0.5: pass"
    subprocess.run([sys.executable, "-c", script], check=True)
    assert other_load._seconds_of_others() - before > 0.45


@_ON_LINUX
def test_own_work_is_not_counted(monkeypatch):
    """The counts of the system grow by as much as those of this process."""
    monkeypatch.setattr(other_load, "busy_ticks", lambda text, cores: ticks * time.process_time())
    ticks = other_load.os.sysconf("SC_CLK_TCK")
    before, end = other_load._seconds_of_others(), time.process_time() + 0.2
    while time.process_time() < end:
        pass
    assert other_load._seconds_of_others() - before < 0.1
