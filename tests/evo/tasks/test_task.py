from atoll.evo.tasks.task import task_identity
from tests.problems import Hill, Weather


def test_a_task_is_its_name_options_and_layout():
    here = task_identity(Hill())
    assert here == task_identity(Hill())
    assert here != task_identity(Weather())
    assert {"name", "options", "genome_sha256"} <= here.keys()
