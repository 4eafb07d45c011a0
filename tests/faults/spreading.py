"""Tasks that spread their evaluation over processes of their own, in every way and at every time that is usual."""

from __future__ import annotations

ONE = """
def one(x):
    return float(-(x * x).sum())
"""
TASK = """
class Spread:
    bounds = [(-5.0, 5.0)] * 6
    is_deterministic = True

    def __init__(self):
        {constructor}

    def evaluate(self, genes, episode):
        {evaluate}
"""
POOL = "mp.get_context({how!r}).Pool(2)"
EXECUTOR = "ProcessPoolExecutor(2, mp_context=mp.get_context({how!r}))"
MULTIPROCESSING = "import multiprocessing as mp\nfrom concurrent.futures import ProcessPoolExecutor\n" + ONE
IMPORT, CONSTRUCTOR, EVALUATE = WHEN = ("import", "constructor", "evaluate")
STARTS = ("fork", "spawn", "forkserver")

JOBLIB = "from joblib import Parallel, delayed\n" + ONE
LOADER = """
import torch
from torch.utils.data import DataLoader, Dataset

class Genes(Dataset):
    def __init__(self, genes):
        self.genes = genes

    def __len__(self):
        return len(self.genes)

    def __getitem__(self, i):
        return float(-(self.genes[i] * self.genes[i]).sum())

def loaded(genes):
    return torch.cat(list(DataLoader(Genes(genes), batch_size=2, num_workers=2))).numpy()
"""
PROGRAM = """
import subprocess, sys

SCORE = "import sys\\nfor line in sys.stdin: print(-sum(float(x) ** 2 for x in line.split()), flush=True)"
COMMAND = [sys.executable, "-S", "-c", SCORE]

def started():
    return subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)

def asked(program, x):
    program.stdin.write(" ".join(str(float(gene)) for gene in x) + "\\n")
    program.stdin.flush()
    return float(program.stdout.readline())

def once(x):
    line = " ".join(str(float(gene)) for gene in x)
    return float(subprocess.run(COMMAND, input=line, capture_output=True, text=True, check=True).stdout)
"""


def source(way: str, when: str) -> str:
    """Return the file of a task whose class is `Spread`; see `WAYS` for what can be asked for."""
    kind, _, how = way.partition("-")
    if kind in {"pool", "executor"}:
        made = (POOL if kind == "pool" else EXECUTOR).format(how=how)
        return MULTIPROCESSING + _placed(made, when, ask="list({made}.map(one, list(genes)))", is_closing=True)
    if kind == "joblib":
        made = "Parallel(n_jobs=2)"
        return JOBLIB + _placed(made, when, ask="{made}(delayed(one)(x) for x in genes)", is_closing=False)
    if kind == "loader":
        return LOADER + TASK.format(constructor="pass", evaluate="return loaded(genes)")
    if when == EVALUATE:
        return PROGRAM + TASK.format(constructor="pass", evaluate="return [once(x) for x in genes]")
    return PROGRAM + _placed("started()", when, ask="[asked({made}, x) for x in genes]", is_closing=False)


def _placed(made: str, when: str, *, ask: str, is_closing: bool) -> str:
    if when == EVALUATE:
        if is_closing:
            return TASK.format(
                constructor="pass", evaluate=f"with {made} as made:\n            return {ask.format(made='made')}"
            )
        return TASK.format(constructor="pass", evaluate=f"return {ask.format(made=made)}")
    if when == CONSTRUCTOR:
        return TASK.format(constructor=f"self.made = {made}", evaluate=f"return {ask.format(made='self.made')}")
    # a process that imports this file, to find `one`, must not start processes of its own
    begin = f"\nimport multiprocessing\nMADE = {made} if multiprocessing.parent_process() is None else None\n"
    return begin + TASK.format(constructor="pass", evaluate=f"return {ask.format(made='MADE')}")


WAYS = tuple(
    [(f"{kind}-{how}", when) for kind in ("pool", "executor") for how in STARTS for when in WHEN]
    + [("joblib", when) for when in WHEN]
    + [("loader", EVALUATE)]
    + [("program", when) for when in WHEN]
)
