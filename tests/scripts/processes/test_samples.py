from __future__ import annotations

from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.scripts.processes.monitor import Sample, thin

steps = st.tuples(st.integers(1, 30), st.integers(0, 400), st.integers(0, 9), st.integers(0, 50), st.integers(0, 2**33))


@st.composite
def histories(draw: st.DrawFn) -> list[Sample]:
    found = draw(st.lists(steps, min_size=draw(st.sampled_from([1, 25])), max_size=60))
    times = accumulate(step[0] / 10 for step in found)
    cpu = accumulate(step[3] / 10 for step in found)
    return [Sample(t, n, p, c, b) for t, c, (_, n, p, _, b) in zip(times, cpu, found, strict=True)]


@given(histories(), st.integers(1, 12) | st.integers(13, 70))
def test_thinning_keeps_the_processor_time_the_span_and_the_peaks(samples: list[Sample], limit: int) -> None:
    rows = thin(samples, limit)
    assert len(rows) == min(limit, len(samples))
    if limit > 1:
        used = sum(after[3] * (after[0] - before[0]) for before, after in pairwise(rows))
        assert used == pytest.approx(samples[-1].cpu_s - samples[0].cpu_s)
        assert (rows[0][0], rows[-1][0]) == (samples[0].t_s, samples[-1].t_s)
        assert max(row[1] for row in rows) == max(sample.threads for sample in samples)
        assert max(row[2] for row in rows) == max(sample.processes for sample in samples)
        assert max(row[4] for row in rows) == max(sample.pss_bytes for sample in samples)


def test_nothing_stays_nothing() -> None:
    assert thin([], 5) == ()
