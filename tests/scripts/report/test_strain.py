"""A muscle has one colour in all pictures."""

from hypothesis import given
from hypothesis import strategies as st

from atoll.scripts.report import page
from atoll.scripts.report.strain import FULL_STRAIN, LONG, REST, SHORT, colour_of


def test_a_muscle_at_rest_is_grey_and_colours_saturate():
    assert colour_of(0.0) == REST
    assert colour_of(FULL_STRAIN) == colour_of(9.0) == LONG
    assert colour_of(-FULL_STRAIN) == colour_of(-9.0) == SHORT


@given(st.floats(0, 1), st.floats(0, 1))
def test_the_more_strain_the_farther_from_grey(one, other):
    def away(strain: float) -> int:
        return sum(abs(a - b) for a, b in zip(colour_of(strain), REST, strict=True))

    for sign in (-1, 1):
        assert away(sign * min(one, other)) <= away(sign * max(one, other))


def test_the_page_draws_by_the_same_colours():
    program, style = ((page.HERE / "web" / name).read_text() for name in ("stage.js", "style.css"))
    assert f"FULL_STRAIN = {FULL_STRAIN};" in program
    for name, colour in (("short", SHORT), ("rest", REST), ("long", LONG)):
        code = "#{:02x}{:02x}{:02x}".format(*colour)
        assert f'{name}: "{code}"' in program
        assert f".swatch.{name} {{ background: {code};" in style
