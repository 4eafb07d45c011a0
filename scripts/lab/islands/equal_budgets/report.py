"""Islands at equal budgets of evaluations, when do they help? `python -m scripts.lab islands run|report|check`.

The report is derived from rows alone: Markdown tables, each a block of text, figures, and a file for each table.
"""

from __future__ import annotations

import math
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np
from scipy.stats import rankdata

from atoll.evo import atomic
from atoll.evo.errors import ConfigError, DamagedFileError
from atoll.scripts.lab.islands.equal_budgets import plan
from atoll.scripts.lab.islands.equal_budgets.findings import (
    MUST_SHOW,
    SEED,
    compare,
    exploratory,
    found,
    median,
    primary,
    ratio,
    running_time,
    secondary,
)
from atoll.scripts.lab.islands.equal_budgets.run import measure, read, read_starts, repeat
from atoll.scripts.lab.kit import markdown
from atoll.scripts.lab.kit.markdown import number, table, under
from atoll.scripts.lab.kit.study import quick_option, tables_option

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from atoll.evo.runlog import Record
    from atoll.scripts.lab.islands.equal_budgets.findings import Comparison, Findings, Interval, Times
    from atoll.scripts.lab.islands.equal_budgets.plan import Breeding, Problem


EDGE = "†"


def blocks(findings: Sequence[Findings], starts: Sequence[Record]) -> dict[str, str]:
    """Return every block by its name."""
    return {
        "provenance": provenance(starts),
        "problems": problems(findings),
        "tuning": tuning(findings),
        "primary": compared(primary(findings)),
        "controls": controls(findings),
        "hindsight": hindsight(findings),
        "secondary": compared(secondary(findings)),
        "claim": claim(findings),
        "creatures": unseen(findings),
        "rates": ranked(findings, "rate"),
        "topologies": ranked(findings, "topology"),
        "sizes": ranked(findings, "size"),
        "contenders": contenders(findings),
    }


def provenance(starts: Sequence[Record]) -> str:
    """Return where the rows were made; it decides how long they took, and nothing else."""
    machines = Counter((row["cpu"], row["cores"], row["python"], row["numpy"]) for row in starts)
    commits = dict.fromkeys(str(row["commit"])[:10] + (" and changes" if row["dirty"] else "") for row in starts)
    where = [f"{cpu}, {cores} cores; python {python}, numpy {numpy}" for cpu, cores, python, numpy in machines]
    return "; ".join([*where, f"commit {', '.join(commits)}", f"{len(starts)} starts"]) if starts else ""


def problems(findings: Sequence[Findings]) -> str:
    """Return the sizes and targets of each problem."""
    lines = [
        (
            each.problem.name,
            each.problem.kind,
            number(each.problem.budget),
            f"{each.problem.population} in {each.problem.islands} x {each.problem.share}",
            f"{each.seeds} of {each.problem.seeds}",
            f"{each.targets.final:.6g}",
            f"{each.targets.early:.6g}",
        )
        for each in findings
    ]
    heads = ("problem", "kind", "budget", "individuals", "test seeds", "final target", f"early (1/{plan.EARLY_SHARE})")
    return table(heads, lines)


def tuning(findings: Sequence[Findings]) -> str:
    """Return what each family was tuned to, and with how much effort."""
    lines = [
        (
            each.problem.name,
            *(_setting(each.breeding[family], each, family) for family in plan.FAMILIES),
            ", ".join(map(str, sorted({len(plan.grid(each.problem, family)) for family in plan.FAMILIES}))),
        )
        for each in findings
    ]
    note = (
        f"Mutation rate / scale / tournament size; {len(plan.TUNING_SEEDS)} tuning seeds for each setting, then "
        f"{len(plan.TARGET_SEEDS)} other seeds of the tuned pooled population for the targets. {EDGE}: the lowest or "
        f"highest mutation rate that was tried; of scales and tournament sizes there were two to choose from at most."
    )
    return f"{table(('problem', *plan.FAMILIES, 'settings tried by each'), lines)}\n\n{note}" if lines else ""


def _setting(breeding: Breeding, found: Findings, family: str) -> str:
    rates = [float(each["mutation_rate"]) for each in plan.grid(found.problem, family)]
    rate = float(breeding["mutation_rate"])
    edge = EDGE if rate in {min(rates), max(rates)} else ""
    return f"{rate:g}{edge} / {breeding['mutation_scale']:g} / {breeding['tournament_size']:g}"


def compared(comparisons: Sequence[Comparison]) -> str:
    """Return comparisons, a line each."""
    lines = [
        (
            each.findings.problem.name,
            f"{each.faster} / {each.than}",
            reached(each.findings.showings[each.faster].times),
            reached(each.findings.showings[each.than].times),
            spread(each.ratio),
            chance(each.p),
            each.verdict,
        )
        for each in comparisons
    ]
    heads = ("problem", "A / B", "A: reached, ERT", "B: reached, ERT", "ERT of B / A", "p (Holm)", "verdict")
    return table(heads, lines)


def controls(findings: Sequence[Findings]) -> str:
    """Return how the primary comparison fares by other yardsticks: an early target, restarts, what was found."""
    lines = []
    for each in findings:
        best = compare(each.showings[plan.ISLANDS].best, each.showings[plan.POOLED].best)
        lines.append(
            (
                each.problem.name,
                spread(each.ratio(plan.POOLED, plan.ISLANDS)),
                spread(each.restarted_ratio(plan.POOLED, plan.ISLANDS)),
                spread(each.early_ratio(plan.POOLED, plan.ISLANDS)),
                _median(each.showings[plan.POOLED].best),
                _median(each.showings[plan.ISLANDS].best),
                f"{best.superiority:.2f} ({chance(best.p)})",
            )
        )
    ratios = ("final target", "final, restarted at the best time", "early target")
    bests = ("best of pooled", "best of islands", "P(islands better) (p, alone)")
    return table(("problem", *ratios, *bests), lines)


def hindsight(findings: Sequence[Findings]) -> str:
    """Return what each family would take with the setting that was fastest to the final target on the tuning seeds.

    Settings are chosen by what runs find in the end, and compared by how fast they are; who is best by the one need not
    be by the other, and this shows how much hangs on it.
    """
    lines = []
    for each in findings:
        best = {family: min(enumerate(each.tried[family]), key=lambda item: _time(item[1])) for family in plan.FAMILIES}
        ours, theirs = best[plan.ISLANDS][1], best[plan.POOLED][1]
        found = ratio(theirs, ours, seed=SEED).value
        lines.append(
            (
                each.problem.name,
                *(
                    f"{reached(times)} ({_setting(plan.grid(each.problem, family)[place], each, family)})"
                    if times.n_reached
                    else reached(times)
                    for family, (place, times) in best.items()
                ),
                quantity(found),
            )
        )
    return table(("problem", *plan.FAMILIES, "ERT of pooled / islands"), lines)


def claim(findings: Sequence[Findings]) -> str:
    """Return whether what the experiment was to show holds, and what the controls leave of it."""
    shown = [each for each in primary(findings) if each.findings.problem.is_rugged]
    held = [
        f"{each.findings.problem.name} ({spread(each.ratio)}; {plan.STRONG} / islands "
        f"{spread(each.findings.ratio(plan.STRONG, each.faster))}; pooled / islands, both restarted at their best "
        f"time, {spread(each.findings.restarted_ratio(each.than, each.faster))})"
        for each in shown
        if each.is_shown
    ]
    text = (
        f"ERT of pooled / islands at least {MUST_SHOW:g}, the whole interval above 1 and the corrected test agreeing, "
        f"on a deceptive or multimodal function"
    )
    return f"{text}: **{'held' if held else 'not held'}**" + (f", by {'; '.join(held)}." if held else ".")


def unseen(findings: Sequence[Findings]) -> str:
    """Return what champions are worth on courses that they were not trained on."""
    parts = []
    for each in findings:
        walked = [showing for showing in each.showings.values() if showing.column("unseen_fitness")]
        if not walked:
            continue
        pooled = each.showings[plan.POOLED].column("unseen_fitness")
        lines = [
            (
                showing.contender.name,
                _median(showing.best),
                _median(showing.column("unseen_fitness")),
                _median(showing.column("unseen_pellets")),
                f"{compare(showing.column('unseen_fitness'), pooled).superiority:.2f}",
                chance(compare(showing.column("unseen_fitness"), pooled).p),
            )
            for showing in walked
        ]
        heads = ("contender", "fitness", "unseen fitness", "unseen pellets", "P(unseen better than pooled)", "p, alone")
        parts.append(table(heads, lines))
    return "\n\n".join(parts)


def ranked(findings: Sequence[Findings], question: str) -> str:
    """Return all answers to one question beside each other, the best mean rank over the problems first.

    Only problems on which all of them were tried; ranks are those of expected running times to the final target.
    """
    swept = [each for each in findings if each.problem.is_swept]
    if not swept:
        return ""
    names = [plan.ISLANDS, *(name for name, each in swept[0].showings.items() if each.contender.question == question)]
    costs = np.asarray([[_time(each.showings[name].times) for name in names] for each in swept])
    ranks = rankdata(costs, axis=1).mean(axis=0)
    lines = [
        (
            f"{name} (the reference)" if name == plan.ISLANDS else name,
            *(quantity(each.ratio(plan.POOLED, name).value) for each in swept),
            f"{ranks[place]:.1f}",
        )
        for place, name in sorted(enumerate(names), key=lambda item: ranks[item[0]])
    ]
    heads = ("ERT of pooled / it", *(each.problem.name for each in swept), f"mean rank of {len(names)}")
    return table(heads, lines)


def contenders(findings: Sequence[Findings]) -> str:
    """Return everybody on every problem: exploration, but for the first five."""
    p = {(each.findings.problem.name, each.faster): each for each in exploratory(findings)}
    parts = []
    for each in findings:
        lines = [
            (
                name,
                showing.contender.question,
                f"{showing.contender.islands} x {showing.contender.population}",
                reached(showing.times),
                spread(each.ratio(plan.POOLED, name)),
                _median(showing.best),
                _mean(showing.column("f_st")),
                _mean(showing.column("origins")),
                chance(p[each.problem.name, name].p) if (each.problem.name, name) in p else "",
            )
            for name, showing in each.showings.items()
        ]
        figures = ("reached, ERT", "ERT of pooled / it", "best", "F_ST", "origins", "p (Holm), against islands")
        heads = ("contender", "question", "size", *figures)
        parts.append(under(each.problem.name, table(heads, lines)))
    return "\n\n".join(parts)


def quantity(value: float) -> str:
    """Return a number with three digits that count; a dash for what is unknown."""
    if math.isnan(value):
        return "-"
    return "∞" if math.isinf(value) else number(value)


def spread(found: Interval, say: Callable[[float], str] = quantity) -> str:
    """Return a value with its interval."""
    return f"{say(found.value)} [{say(found.low)}, {say(found.high)}]"


def chance(p: float) -> str:
    """Return a p-value."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def reached(times: Times) -> str:
    """Return how many runs reached the target, and the expected running time."""
    return f"{times.n_reached}/{len(times)}, {quantity(_time(times))}"


def _time(times: Times) -> float:
    return float(running_time(times.to_target, times.spent))


def _median(values: Sequence[float]) -> str:
    return spread(median(values, seed=SEED))


def _mean(values: Sequence[float]) -> str:
    return number(float(np.mean(values))) if values else "-"


PAGE = "report.md"
FIGURES = "figures"
WORDS = {
    "ratios": "How many times as fast as the pooled population each contender reaches its median, with intervals",
    "reached": "Share of runs that have reached the target, against evaluations, problem by problem",
    "rates": "How many times as fast as the pooled population, against the interval between migrations",
    "sizes": "How many times as fast as the pooled population, against the number of islands",
    "creatures": "Fitness of champions on the courses that they were trained on, and on 40 others",
}
"""What each figure shows, for who cannot see it."""


def write(problems: Sequence[Problem], folder: Path, *, plots: Path, tables_folder: Path | None) -> str:
    """Write `report.md` beside the rows and the figures into `plots`; return the text."""
    from atoll.scripts.lab.islands.equal_budgets import figures  # noqa: PLC0415 - matplotlib takes a second to import

    known = read(folder)
    findings = [each for each in (found(problem, known) for problem in problems) if each is not None]
    if not findings:
        raise ConfigError(
            f"{folder} holds {len(known)} rows, and no problem that was compared with one seed at least; run "
            f"'python -m scripts.lab islands run' first"
        )
    parts = blocks(findings, read_starts(folder))
    with atomic.storage_errors("write the report"):
        atomic.make_directory(plots)
        files = figures.draw(findings, plots)
        sections = {**parts, FIGURES: _links(files, beside=folder / PAGE)}
        text = "\n\n".join(f"## {name}\n\n{block}" for name, block in sections.items() if block) + "\n"
        atomic.replace_file(folder / PAGE, text.encode(), durable=False)
        if tables_folder is not None:
            links = _links(files, beside=tables_folder / f"{FIGURES}.md")
            markdown.write_tables(tables_folder, {**parts, FIGURES: links})
    return text


def _links(files: Mapping[str, Path], *, beside: Path) -> str:
    return "\n\n".join(markdown.picture(file, words=WORDS[name], beside=beside) for name, file in files.items())


folder_option = click.option(
    "--out",
    default=Path("bench/islands"),
    show_default=True,
    type=click.Path(path_type=Path),
    help="Where the rows are.",
)
problem_option = click.option("--problem", "names", multiple=True, help="Only this one; may be given again.")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Experiments on islands at equal budgets of evaluations: rows first, everything else from them."""


@main.command()
@folder_option
@problem_option
@quick_option
@click.option("--workers", default=2, show_default=True, type=click.IntRange(min=1), help="Processes.")
def run(*, out: Path, names: tuple[str, ...], quick: bool, workers: int) -> None:
    """Tune every family alike, set the targets, then compare; a run cut short goes on where it was."""
    measure(_problems(names, quick=quick), out, workers=workers, tell=click.echo)


@main.command()
@folder_option
@problem_option
@quick_option
@click.option("--runs", default=20, show_default=True, type=click.IntRange(min=1), help="How many, drawn at random.")
@click.option("--seed", default=1, show_default=True, help="Of the draw.")
def check(*, out: Path, names: tuple[str, ...], quick: bool, runs: int, seed: int) -> None:
    """Run some of the rows again: equal seeds give equal rows, on any machine."""
    found = repeat(_problems(names, quick=quick), out, n=runs, seed=seed)
    for job, is_equal in found:
        if not is_equal:
            click.echo(f"differs: {job.problem.name}, {job.arm.name}, seed {job.seed} ({job.key})", err=True)
    n_equal = sum(is_equal for _, is_equal in found)
    click.echo(f"{n_equal} of {len(found)} rows came out the same again, byte for byte")
    if n_equal < len(found):
        sys.exit(DamagedFileError.exit_code)


@main.command()
@folder_option
@problem_option
@quick_option
@click.option("--plots", type=click.Path(path_type=Path), help="Where figures go; plots/ beside the rows by default.")
@tables_option
def report(*, out: Path, names: tuple[str, ...], quick: bool, plots: Path | None, tables_folder: Path | None) -> None:
    """Derive every table and figure from the rows alone."""
    problems = _problems(names, quick=quick)
    click.echo(write(problems, out, plots=plots or out / "plots", tables_folder=tables_folder), nl=False)


def _problems(names: tuple[str, ...], *, quick: bool) -> tuple[Problem, ...]:
    found = plan.named(names)
    return tuple(map(plan.quick, found)) if quick else found
