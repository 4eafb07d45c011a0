"""A contract's check must notice who breaks it; else those that pass it have shown nothing."""

import pytest

from tests.contracts import check_archipelago


def kept(**changes):
    """Return the logs and ledgers of two islands that keep the contract, or one line of them changed."""

    def line(island, generation, evaluations, imports=0, **ancestry):
        values = {"evaluations": evaluations, "imports": imports, "ancestry": ancestry or {island: 1.0}}
        return {"kind": "generation", "generation": generation, **values}

    came = {"kind": "imported", "generation": 1, "ancestry": {"b": 0.5, "old": 0.5}}
    turned_away = {"kind": "refused", "generation": 2, "fitness_here": 1.0}
    logs = {
        "a": [line("a", 0, 9), line("a", 1, 19, 1, a=0.5, b=0.4, old=0.1), line("a", 2, 29, 1, a=0.5, b=0.5)],
        "b": [line("b", g, 9 * (g + 1)) for g in range(3)],
    }
    ledgers = {"a": [came, turned_away, {"kind": "refused", "generation": 1}], "b": []}
    for name, change in changes.items():
        change({"logs": logs, "ledgers": ledgers}[name])
    return logs, ledgers


def test_an_archipelago_that_keeps_the_contract_passes():
    check_archipelago(*kept(), generations=2)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"ledgers": lambda ledgers: ledgers["a"].pop(0)}, "growth of a at 1"),
        ({"ledgers": lambda ledgers: ledgers["a"][0]["ancestry"].pop("old")}, "genes of {'old'} on a at 1"),
        ({"logs": lambda logs: logs["b"][2]["ancestry"].update(a=0.1)}, "genes of {'a'} on b at 2"),
        ({"logs": lambda logs: logs["b"][0]["ancestry"].update(a=0.1)}, "founders of b"),
        ({"logs": lambda logs: logs["b"][2].update(evaluations=18)}, "growth of b at 2"),
        ({"logs": lambda logs: logs["b"][1].update(generation=0)}, "the clock of b"),
        ({"logs": lambda logs: logs["b"].pop()}, "the clock of b"),
        ({"logs": lambda logs: logs.pop("b")}, "a log and a ledger"),
    ],
)
def test_an_archipelago_that_breaks_the_contract_is_noticed(change, words):
    with pytest.raises(AssertionError, match=words):
        check_archipelago(*kept(**change), generations=2)
