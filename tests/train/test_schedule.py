import math

import pytest
from hypothesis import given, strategies as st

from tinyternary.errors import ConfigError
from tinyternary.train.schedules import Schedule


@given(
    total=st.integers(1, 300),
    share=st.floats(0, 1),
    kind=st.sampled_from(["cosine", "constant", "two-phase"]),
)
def test_never_above_the_peak_nor_below_the_end(total, share, kind):
    schedule = Schedule(total, 0.1, int(share * total), 0.001, kind)
    rates = [schedule(step) for step in range(total)]
    assert all(0 < rate <= 0.1 + 1e-12 for rate in rates)
    rise = rates[: schedule.warmup]
    assert rise == sorted(rise)
    fall = rates[schedule.warmup :]
    assert fall == sorted(fall, reverse=True)


def test_cosine_by_hand():
    schedule = Schedule(101, 1.0, 0, 0.0)
    assert schedule(0) == 1.0
    assert schedule(50) == pytest.approx(0.5)
    assert schedule(25) == pytest.approx(0.5 * (1 + math.cos(math.pi / 4)))
    assert schedule(100) == pytest.approx(0.0, abs=1e-12)


def test_warm_up_is_linear_and_ends_at_the_peak():
    schedule = Schedule(10, 0.4, 4)
    assert [schedule(s) for s in range(4)] == pytest.approx([0.1, 0.2, 0.3, 0.4])


def test_two_phases_drop_the_rate_and_the_decay():
    schedule = Schedule(101, 1.0, 0, 0.0, "two-phase", phase_split=0.5, phase_drop=0.6)
    assert schedule(49) > 0.5
    assert schedule(50) == pytest.approx(0.3)
    assert schedule.decay_scale(49) == 1.0
    assert schedule.decay_scale(50) == 0.0
    assert Schedule(101, 1.0).decay_scale(100) == 1.0


def test_impossible_schedules():
    with pytest.raises(ConfigError, match="at least 1 step"):
        Schedule(0, 1.0)
    with pytest.raises(ConfigError, match="warm-up 5"):
        Schedule(4, 1.0, 5)
