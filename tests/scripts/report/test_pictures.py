"""Pictures of a walk: a sheet from a life alone, and the same colour for a muscle as on the page."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.evo.tasks.creatures import body, recording
from atoll.evo.tasks.creatures.task import CreatureOptions, Creatures
from atoll.scripts.report import page, pictures
from atoll.scripts.report.pictures import FULL_STRAIN, LONG, REST, SHORT, colour_of


@pytest.fixture(scope="module")
def film():
    creatures = Creatures(CreatureOptions(courses=1, life_s=2.0), backend="reference")
    genes = creatures.spec.sample(np.random.default_rng(1), 60)
    alive = np.flatnonzero(body.decode(genes, creatures.spec).viable)
    return recording.record(creatures, genes[alive[0]], course_number=0)


@pytest.mark.slow
def test_a_sheet_is_a_picture_with_the_title_and_the_times(film, tmp_path):
    pictures.write_sheet(film, tmp_path / "walk.svg", title="a walk of 2 s")
    assert ET.parse(tmp_path / "walk.svg").getroot().tag.endswith("svg")  # noqa: S314 - our own file


def test_moments_stay_within_the_recording(film):
    moments = pictures._moments(film)
    assert len(moments) == pictures.MOMENTS
    assert 0 <= moments[0] <= moments[-1] < len(film.position_m)
    assert moments == sorted(moments)


def test_the_camera_follows_the_centre_of_mass_and_keeps_lengths_across(film):
    seen = pictures._seen_from_the_side(film, 30)
    x = film.position_m[30][0]
    np.testing.assert_allclose(np.ptp(seen[0]), np.ptp(x), rtol=1e-6)
    assert seen[0].min() < 0 < seen[0].max()


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
