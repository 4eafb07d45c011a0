"""A campaign: one operation, each of its calls, each fault; and what was wrong after any of them."""

from __future__ import annotations

import json
import shutil
import sys
import traceback
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tests.faults.injection import BUG, KILL, Call, Ending, Injector, Rule
from tests.faults.operations import Operation, operation_called, publish_on_and_prune
from tests.faults.seam import Seam
from tests.faults.shim import LATE, Shim
from tests.faults.strace import Strace
from tests.faults.world import World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

INJECTORS: dict[str, Callable[[], Injector]] = {
    "strace": Strace,
    "seam": lambda: Seam(meanwhile=publish_on_and_prune),
    "shim": Shim,
}
ALWAYS = (KILL, "EIO", "ENOSPC", "EDQUOT")
CHANGING = {"mkdir", "rename", "link", "unlink", "unlinkat", "rmdir", "replace"}
READING = {"openat", "open", "read", "newfstatat", "fstat", "getdents64", "stat", "lstat", "scandir"}
NOTHING_DONE, LOST_WRITE, PRUNED = "=0", "=10", "!"


@dataclass
class Report:
    """What a campaign went through.

    Attributes:
        calls: How many system calls the undisturbed deed makes.
        rows: Row of docs/reliability.md -> what was counted.
        wrong: What must not be, one text each.
    """

    calls: int = 0
    rows: dict[int, Counter[str]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Expected:
    """What an undisturbed deed leaves.

    Attributes:
        recovered: What `Operation.recover` returned.
        outcome: What `Operation.outcome` returned after that.
    """

    recovered: object
    outcome: object


def once(calls: list[Call]) -> Iterator[list[Rule]]:
    """Give each call each fault, once."""
    for call in calls:
        faults = [*ALWAYS]
        if call.name in CHANGING or "O_CREAT" in call.text:
            faults += ["EROFS", "EACCES"]
        elif call.name in READING:
            faults += ["ESTALE", "EACCES"]
        for fault in faults:
            yield [Rule(call.name, call.nth, fault)]


def lasting(calls: list[Call]) -> Iterator[list[Rule]]:
    """From each call on, let all calls of its name fail; and let all fail that change anything."""
    for place, call in enumerate(calls):
        for fault in ("EIO", "ENOSPC"):
            yield [Rule(call.name, call.nth, fault, is_lasting=True)]
        later = {c.name for c in calls[place:]} & (CHANGING | {"write", "fsync"})
        nth = {name: 1 + sum(c.name == name for c in calls[:place]) for name in sorted(later)}
        if nth:
            yield [Rule(name, n, "EIO", is_lasting=True) for name, n in nth.items()]


def lies(calls: list[Call]) -> Iterator[list[Rule]]:
    """Let each call that changes names say that it did, and do nothing."""
    return ([Rule(call.name, call.nth, NOTHING_DONE)] for call in calls if call.name in CHANGING)


def lost(calls: list[Call]) -> Iterator[list[Rule]]:
    """Let each write say that ten bytes were written, and write none of them."""
    return ([Rule(call.name, call.nth, LOST_WRITE)] for call in calls if call.name == "write")


def pruned(calls: list[Call]) -> Iterator[list[Rule]]:
    """Let the peer publish on and prune before each call."""
    return ([Rule(call.name, call.nth, PRUNED)] for call in calls)


def late(calls: list[Call]) -> Iterator[list[Rule]]:
    """Let each rename and link be done, and be reported as failed: as by the server, or as by a repeated request."""
    repeated = {"rename": "ENOENT", "link": "EEXIST"}
    return ([Rule(call.name, call.nth, LATE + error)] for call in calls for error in ("EIO", repeated[call.name]))


PLANS: dict[str, Callable[[list[Call]], Iterator[list[Rule]]]] = {
    plan.__name__: plan for plan in (once, lasting, lies, lost, pruned, late)
}


@dataclass(frozen=True)
class Order:
    """Which campaign.

    Attributes:
        operation: Its name.
        through: Who injects: strace or seam.
        plan: Which faults.
        first: The first case to try.
        step: And from there on one in so many.
    """

    operation: str
    through: str
    plan: str
    first: int = 0
    step: int = 1


def campaign(place: Path, order: Order) -> None:
    """Try the cases of a plan in this process, which must have a single thread; write the report."""
    report = Report()
    try:
        _campaign(place, order, report)
    except Exception:
        report.wrong.append(traceback.format_exc())
    (place / "report.json").write_text(json.dumps(vars(report)))


def read_report(place: Path) -> Report:
    """Return what a campaign in another process wrote."""
    document = json.loads((place / "report.json").read_text())
    rows = {int(row): Counter(counts) for row, counts in document["rows"].items()}
    return Report(document["calls"], rows, document["wrong"])


def _campaign(place: Path, order: Order, report: Report) -> None:
    operation, injector = operation_called(order.operation), INJECTORS[order.through]()
    template, root = World(place / "template"), place / "world"
    operation.prepare(template)
    expected = _undisturbed(template, operation, place / "whole")
    calls = injector.calls(operation, shutil.copytree(template.root, root))
    report.calls = len(calls)
    for rules in list(PLANS[order.plan](calls))[order.first :: order.step]:
        shutil.rmtree(root)
        shutil.copytree(template.root, root)
        ending = injector.run(operation, root, rules)
        for row in _rows(operation, rules[0]):
            report.rows.setdefault(row, Counter()).update(cases=1, fired=int(ending.fired > 0))
        wrong = _wrong(World(root), operation, rules[0], ending, expected)
        if wrong:
            text = next((c.text for c in calls if (c.name, c.nth) == (rules[0].name, rules[0].nth)), "")
            report.wrong.append(f"{rules}\n{text}\n{wrong}")


def _rows(operation: Operation, rule: Rule) -> list[int]:
    """Say which rows of docs/reliability.md a case belongs to."""
    if operation.is_team:
        is_lie = rule.fault in {LOST_WRITE, NOTHING_DONE} or rule.fault.startswith(LATE)
        return [35 if rule.fault == KILL else 38 if is_lie else 37]
    special = {KILL: 1, LOST_WRITE: 6, NOTHING_DONE: 8, PRUNED: 18}
    if rule.fault in special:
        return [special[rule.fault]]
    if rule.fault.startswith(LATE):
        return [7]
    rows = [4] if rule.is_lasting else [3]
    rows += [5] if rule.name == "fsync" and not rule.is_lasting else []
    return rows + ([19] if operation.name == "import" and rule.fault in {"ESTALE", "EACCES"} else [])


def _undisturbed(template: World, operation: Operation, root: Path) -> Expected:
    world = World(shutil.copytree(template.root, root))
    operation.check(world, operation.ready(world)())
    return Expected(operation.recover(world), operation.outcome(world))


def _wrong(world: World, operation: Operation, rule: Rule, ending: Ending, expected: Expected) -> str:
    """Return what is wrong after a case, or nothing."""
    try:
        _judge(world, operation, rule, ending, expected)
    except Exception:
        return traceback.format_exc()
    return ""


def _judge(world: World, operation: Operation, rule: Rule, ending: Ending, expected: Expected) -> None:
    assert ending.fired, "the fault did not happen"
    assert ending.code != BUG, ending.said
    if rule.name == "fsync" and rule.fault not in {KILL, PRUNED} and not operation.goes_on:
        assert ending.acknowledged is None, "acknowledged what could not be synced"
    if rule.fault.startswith(LATE) and operation.name in {"publish", "claim"}:
        assert ending.acknowledged is not None, f"did not recognise its own: {ending.said}"
    if rule.fault == LOST_WRITE:
        operation.check_damaged(world)
        operation.recover(world)  # what is broken is kept in the trash for one start
    elif rule.fault == PRUNED:
        operation.check_pruned(world, ending.acknowledged)
        return
    else:
        operation.check(world, ending.acknowledged)
    recovered = operation.recover(world)
    assert recovered == expected.recovered, f"after recovery: {recovered}, not {expected.recovered}"
    if rule.fault == KILL:
        assert operation.outcome(world) == expected.outcome, "another outcome than without the kill"


if __name__ == "__main__":
    campaign(Path(sys.argv[1]), Order(**json.loads(sys.argv[2])))
