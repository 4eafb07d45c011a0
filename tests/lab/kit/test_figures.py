from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from atoll.scripts.lab.kit import figures


@given(st.floats(1e-3, 1e9))
@example(1234.23)
@example(243.759)
def test_three_digits_that_count_are_off_by_half_of_the_last_at_most(value: float) -> None:
    written = figures.three_digits(value)
    assert float(written) == float(f"{value:.3g}")
    assert set(written) <= set("0123456789.")
    assert len(written.replace(".", "").strip("0")) <= 3


@given(st.sets(st.text(), max_size=64))
def test_no_two_arms_share_colour_and_marker(names: set[str]) -> None:
    assert len(set(figures.palette(names).values())) == len(names)
