"""A contact sheet shows the life that was recorded."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest

from atoll.evo.tasks.creatures import body, recording
from atoll.evo.tasks.creatures.task import CreatureOptions, Creatures
from atoll.scripts.report import contact_sheet


@pytest.fixture(scope="module")
def film():
    creatures = Creatures(CreatureOptions(courses=1, life_s=2.0), backend="reference")
    genes = creatures.spec.sample(np.random.default_rng(1), 60)
    alive = np.flatnonzero(body.decode(genes, creatures.spec).viable)
    return recording.record(creatures, genes[alive[0]], course_number=0)


@pytest.mark.slow
def test_a_sheet_is_a_picture_with_the_title_and_the_times(film, tmp_path):
    contact_sheet.draw(film, tmp_path / "walk.svg", title="a walk of 2 s")
    assert ET.parse(tmp_path / "walk.svg").getroot().tag.endswith("svg")  # noqa: S314 - our own file


def test_moments_stay_within_the_recording(film):
    moments = contact_sheet._moments(film)
    assert len(moments) == contact_sheet.MOMENTS
    assert 0 <= moments[0] <= moments[-1] < len(film.position_m)
    assert moments == sorted(moments)


def test_the_camera_follows_the_centre_of_mass_and_keeps_lengths_across(film):
    seen = contact_sheet._seen_from_the_side(film, 30)
    x = film.position_m[30][0]
    np.testing.assert_allclose(np.ptp(seen[0]), np.ptp(x), rtol=1e-6)
    assert seen[0].min() < 0 < seen[0].max()
