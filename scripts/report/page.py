"""Page of an archipelago (`report`): its files are read, its champions simulated again, and one HTML file is written.

The file holds everything it shows, and its own policy forbids it to fetch or to run anything else. What comes from
files stands in a block of JSON without `<`, `>` or `&`, and reaches the page as text. Only the two blocks of code whose
hashes the policy names may run: the libraries, and the page's own program.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from atoll.evo import atomic
from atoll.evo.errors import ConfigError, count
from atoll.migration.observe import status
from atoll.migration.observe.history import MAX_NAME, read_histories
from atoll.migration.observe.team import read_work
from atoll.migration.pool import identity as pool
from atoll.scripts.report import walks
from atoll.scripts.report.champion import creatures_of, read_all
from atoll.scripts.report.show import describe_body, describe_controller, describe_walk

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from atoll.evo.paths import SharedPaths
    from atoll.evo.records import Generation
    from atoll.migration.observe.history import History
    from atoll.migration.observe.status import IslandStatus
    from atoll.migration.observe.team import MemberStatus, Work
    from atoll.scripts.report.champion import Champion
    from atoll.scripts.report.walks import Walker

HERE = Path(__file__).parent
LIBRARIES = ("vendor/three.min.js", "vendor/uplot.min.js")
STYLES = ("vendor/uplot.min.css", "web/style.css")
PROGRAM = ("base", "film", "stage", "creatures", "curves", "migration", "ancestry", "tables", "timeline", "main")
PLACE = re.compile(r"\{\{([a-z_]+)\}\}")
MAX_POINTS = 300
"""Generations that a curve shows."""
MAX_SHARES = 80_000
"""Numbers that the ancestry of all islands may take."""
MAX_FOUNDERS = 20
"""Islands whose share in the ancestry is shown by itself; the others are one."""
MAX_ARRIVALS = 20_000
MAX_MEMBERS = 200
OTHERS = "all others"
"""No island has a space in its name."""
MAX_PAINTED = 64
"""Origins of a champion's genes that have a letter of their own in `genes`, from "0" on."""
UNPAINTED = "~"
MAX_TEXT = 200


def write_report(shared: SharedPaths, out: Path) -> dict[str, Any]:
    """Write the page of an archipelago; return what it shows, and what could not be read or shown.

    Raises:
        ConfigError: There are no islands.
        StorageError: The directory cannot be read, or the page not be written.
    """
    pool.check_directory(shared)
    rows = {row.name: row for row in status.read_all(shared)}
    histories = read_histories(shared, [row.name for row in rows.values() if not row.unreadable])
    left_out = [f"{row.name} may not be read: {row.unreadable}" for row in rows.values() if row.unreadable]
    if not histories:
        raise ConfigError(
            f"no islands in {shared.root}, so there is nothing to report; name the directory that --migration-dir named"
            if not left_out
            else f"no island in {shared.root} may be read: {left_out[0]}"
        )
    champions, unread = read_all(shared, [history.island for history in histories])
    walkers, unfilmed = walks.film(shared, champions)
    title, made = shared.root.resolve().name or str(shared.root), time.strftime("%Y-%m-%d %H:%M:%S")
    notes = [*left_out, *unread, *unfilmed]
    works = {history.island: work for history in histories if (work := read_work(shared.island(history.island)))}
    shown = document(histories, rows, champions, walkers, works=works, title=title, made=made, notes=notes)
    data = build(shown).encode()
    with atomic.storage_errors("write the report"):
        atomic.replace_file(out, data, durable=False)
    told = {"page": str(out), "bytes": len(data), "islands": len(histories), "walkers": len(walkers)}
    return {**told, "notes": shown["notes"]}


def build(shown: Mapping[str, object]) -> str:
    """Return the page that shows a document."""
    libraries = "\n".join(_read(name) for name in LIBRARIES)
    program = "\n".join(_read(f"web/{name}.js") for name in PROGRAM)
    style = "\n".join(_read(name) for name in STYLES)
    parts = {
        "policy": (
            f"default-src 'none'; script-src {_source(libraries)} {_source(program)}; style-src {_source(style)}; "
            f"img-src data:; base-uri 'none'; form-action 'none'"
        ),
        "style": style,
        "document": embed(shown),
        "libraries": libraries,
        "program": program,
    }
    return PLACE.sub(lambda place: parts[place[1]], _read("web/index.html"))


def embed(value: Mapping[str, object]) -> str:
    """Return JSON that nothing in it can end early, or turn into markup."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _source(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _read(name: str) -> str:
    text = (HERE / name).read_text(encoding="utf-8")
    if "</script" in text and name.endswith(".js"):
        raise ValueError(f"{name} would end its own block")
    return text


def document(
    histories: Sequence[History],
    rows: Mapping[str, IslandStatus],
    champions: Mapping[str, Champion],
    walkers: Mapping[str, Walker],
    *,
    works: Mapping[str, Work] | None = None,
    title: str,
    made: str,
    notes: Sequence[str] = (),
) -> dict[str, Any]:
    """Return all that the page shows, as short lists of numbers, and as texts that are only ever texts.

    `rows`, `champions`, those `walkers` that were simulated again and the `works` of teams are by island; `notes` say
    what is left out.
    """
    grid = thin([line.generation for history in histories for line in history.lines], at_most=MAX_POINTS)
    founders = _founders(histories)
    points = max(MAX_SHARES // max(len(histories) * (len(founders) + 1), 1), 2)
    sparse = thin(grid, at_most=points)
    unreadable = [
        f"{count(history.n_unreadable, 'line')} of the logs of {history.island} cannot be read"
        for history in histories
        if history.n_unreadable
    ]
    works = works or {}
    unreadable += [
        f"{count(work.unreadable_lines, 'line')} of the log of the team of {name} cannot be read"
        for name, work in works.items()
        if work.unreadable_lines
    ]
    arrivals = _arrivals(histories)
    if len(arrivals) > MAX_ARRIVALS:
        unreadable.append(f"of {len(arrivals)} arrivals the last {MAX_ARRIVALS} are shown")
    names = [history.island for history in histories]
    different, common = _settings(histories)
    return {
        "title": _text(title),
        "made": made,
        "notes": [_text(note) for note in (*notes, *unreadable)],
        "run": _run(histories, champions),
        "generations": grid,
        "islands": [
            _island(h, rows[h.island], grid, champions.get(h.island), walkers.get(h.island)) for h in histories
        ],
        "ancestry": {
            "generations": sparse,
            "founders": [*(name[:MAX_NAME] for name in founders), OTHERS],
            "shares": [_shares(history, sparse, founders) for history in histories],
        },
        "givers": sorted({*names, *(arrival[2] for arrival in arrivals)}),
        "arrivals": arrivals[-MAX_ARRIVALS:],
        "teams": [_team(name, work, rows[name].team) for name, work in works.items()],
        "settings": different,
        "shared_settings": common,
    }


def thin(numbers: Iterable[int], *, at_most: int) -> list[int]:
    """Return the distinct numbers, sorted; of too many evenly spread ones, with the first and the last."""
    distinct = sorted(set(numbers))
    if len(distinct) <= at_most:
        return distinct
    return [distinct[i] for i in np.unique(np.linspace(0, len(distinct) - 1, at_most).round().astype(int))]


def _run(histories: Sequence[History], champions: Mapping[str, Champion]) -> dict[str, Any]:
    first = next((history for history in histories if history.settings), None)
    start = first and first.last_start
    segments = next((champion.task["segments"] for champion in champions.values()), ())
    return {
        "task": _text(first.settings.get("task", "")) if first else "",
        "options": {_text(name): _text(value) for name, value in first.options.items()} if first else {},
        "seed": _text(first.settings.get("seed", "")) if first else "",
        "run_id": _text(start.run_id or "") if start else "",
        "backend": _text(f"{start.backend or ''} {start.build or ''}") if start else "",
        "segments": [[_text(name), size] for name, size in segments],
    }


def _island(
    history: History, row: IslandStatus, grid: Sequence[int], champion: Champion | None, walker: Walker | None
) -> dict[str, Any]:
    at = {line.generation: line for line in history.lines}
    last = history.lines[-1] if history.lines else None
    return {
        "name": history.island,
        "state": row.condition,
        "is_alive": row.condition in status.ALIVE,
        "generation": last.generation if last else None,
        "target": row.target,
        "exports": row.exports,
        "imports": len(history.arrivals),
        "distinct_imports": len({fate.genome for fate in history.fates}),
        "refusals": {_text(reason): n for reason, n in history.refusals.items()},
        "curves": {name: _curve(at, grid, name) for name in ("best", "median", "champion", "diversity")},
        "lives": [{**asdict(life), "ending": life.ending or row.condition} for life in history.lives],
        "champion": None if champion is None else _champion(champion, walker),
    }


def _team(island: str, work: Work, members: Sequence[MemberStatus]) -> dict[str, Any]:
    """Return who scored how much of an island: by the team's log, and what each member says of itself."""
    known = {member.name: member for member in members}
    names = sorted(work.genomes.keys() | known.keys(), key=lambda name: (-work.genomes.get(name, 0), name))
    return {
        "island": island,
        "requests": work.requests,
        "wall_s": _number(work.wall_s),
        "genomes": sum(work.genomes.values()),
        "taken_over": work.taken_over,
        "checked": work.checked,
        "refused": work.refused,
        "n_members": len(names),
        "members": [
            {
                "name": _text(name),
                "genomes": work.genomes.get(name, 0),
                "helped": work.helped.get(name, 0),
                **_presence(known.get(name)),
            }
            for name in names[:MAX_MEMBERS]
        ],
    }


def _presence(member: MemberStatus | None) -> dict[str, Any]:
    if member is None:
        return {}
    return {
        "state": member.condition,
        "is_owner": member.is_owner,
        "shares": member.shares,
        "evaluate_s": _number(member.evaluate_s),
        "waited_s": _number(member.waited_s),
        "taken_over": member.taken_over,
        "checked": member.checked,
    }


def _champion(champion: Champion, walker: Walker | None) -> dict[str, Any]:
    names, counts = champion.islands, Counter(champion.ancestry.tolist())
    painted = {origin: chr(ord("0") + i) for i, (origin, _) in enumerate(counts.most_common(MAX_PAINTED))}
    shown: dict[str, Any] = {
        "generation": champion.generation,
        "fitness": _number(champion.fitness),
        "origins": [names[origin][:MAX_NAME] for origin in painted],
        "genes": "".join(painted.get(origin, UNPAINTED) for origin in champion.ancestry.tolist()),
        "shares": {names[i][:MAX_NAME]: round(n / champion.ancestry.size, 4) for i, n in counts.most_common()},
    }
    if walker is None:
        return shown
    creatures = creatures_of(champion)
    return shown | {
        "simulated": _number(walker.audit.trained_fitness),
        "is_confirmed": walker.audit.trained_fitness == champion.fitness,
        "body": describe_body(creatures, champion.genome),
        "controller": describe_controller(creatures, champion.genome),
        "moves": describe_walk(walker.audit),
        "audit": {
            **{name: _number(value) for name, value in asdict(walker.audit).items()},
            "is_sound": walker.audit.is_sound,
        },
        "walks": [
            {
                "generation": walk.generation,
                "fitness": _number(walk.fitness),
                "trained": walks.pack(walk.trained),
                "unseen": walks.pack(walk.unseen),
            }
            for walk in walker.walks
        ],
    }


def _curve(at: Mapping[int, Generation], grid: Sequence[int], name: str) -> list[float | None]:
    return [_number(getattr(at[g], name)) if g in at else None for g in grid]


def _founders(histories: Sequence[History]) -> list[str]:
    """Return the founders with the largest shares in the end, in order of their names."""
    total = dict.fromkeys([history.island for history in histories], 0.0)
    for history in histories:
        for line in history.lines[-1:]:
            for name, share in (line.ancestry or {}).items():
                total[name] = total.get(name, 0.0) + share
    return sorted(sorted(total, key=lambda name: -total[name])[:MAX_FOUNDERS])


def _shares(history: History, grid: Sequence[int], founders: Sequence[str]) -> list[list[int | None]]:
    """Return the share of each founder, and of all others, at each generation, in ten-thousandths."""
    at = {line.generation: line.ancestry or {} for line in history.lines}
    rows = [[round(1e4 * at[g].get(name, 0.0)) if g in at else None for g in grid] for name in founders]
    others = [
        max(round(1e4 * (sum(at[g].values()) - sum(at[g].get(name, 0.0) for name in founders))), 0) if g in at else None
        for g in grid
    ]
    return [*rows, others]


def _arrivals(histories: Sequence[History]) -> list[list[Any]]:
    """Return a row for each arrival by time: seconds, taker, giver, generations there and here, fitness, has it led."""
    rows = [
        [
            *(event.unix_s or 0.0, history.island, str(event.source)[:MAX_NAME], event.source_generation),
            *(event.generation, _number(event.fitness_here), int(bool(event.led))),
        ]
        for history in histories
        for event in history.arrivals
    ]
    return sorted(rows, key=lambda row: row[0])


def _settings(histories: Sequence[History]) -> tuple[list[dict[str, Any]], list[list[str]]]:
    """Return the settings in which islands differ, with each island's value, and those that all share."""
    known = [history for history in histories if history.settings]
    different, shared = [], []
    for name in sorted({name for history in known for name in history.settings} - {"task", "seed", "generations"}):
        values = [_text(history.settings.get(name, "")) if history.settings else "" for history in histories]
        if len({value for history, value in zip(histories, values, strict=True) if history.settings}) > 1:
            different.append({"name": _text(name), "values": values})
        else:
            shared.append([_text(name), next(value for value in values if value) if any(values) else ""])
    return different, shared


def _number(value: float | None) -> float | None:
    return float(f"{value:.6g}") if value is not None and math.isfinite(value) else None


def _text(value: object) -> str:
    text = str(value)
    return text if len(text) <= MAX_TEXT else text[:MAX_TEXT] + "…"
