"""The GPU's kernel on a processor (PTX emulation): what NVRTC makes of the text, translated to C++.

It needs the packages of the extra `cuda` and a C++ compiler, and no GPU. It stands for a GPU where the evaluator is
proved and where the device script is rehearsed; its speed means nothing.
"""

from __future__ import annotations

import ctypes
import re
import tempfile
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from atoll.evo import compiler
from atoll.evo.errors import ConfigError
from atoll.evo.tasks.creatures import cuda, native
from atoll.scripts.lab.gpu.ptx import translate

if TYPE_CHECKING:
    from atoll.evo.genome import Floats
    from atoll.evo.tasks.creatures.native import Kernel, Plan

ARCHITECTURE = "compute_90"
FLAGS = ("-O1", "-ffp-contract=off", "-fno-math-errno")
"""Contraction would be ours and not the CUDA compiler's. Registers by the thousand make higher levels slow."""
BARE = re.compile(r"\b(add|sub|mul)\.f32")
WRONGLY_ROUNDED = re.compile(r"\b(?:fma\.[\w.]*|[\w.]+\.(?:approx|ftz)\b[\w.]*|(?:add|sub|mul)(?:\.sat)?\.f32)")
"""Operations of float32 in PTX that round otherwise than the law, or that an assembler may fuse."""


def compile_ptx(**others: bool) -> str:
    """Compile the kernel to PTX with the evaluator's options, unless there are `others`.

    Raises:
        ConfigError: NVRTC refuses the text.
    """
    stem = f"{native.SOURCE.stem}-{cuda.key_of(ARCHITECTURE, **others)}"
    return compiler.once(stem, ".ptx", partial(_compile_ptx, **others)).decode()


def _compile_ptx(**others: bool) -> bytes:
    from cuda.bindings import nvrtc  # noqa: PLC0415 - the extra `cuda`

    source = native.SOURCE.read_bytes()
    flags = cuda.options(ARCHITECTURE, **others).as_bytes("nvrtc")
    _, program = nvrtc.nvrtcCreateProgram(source, native.SOURCE.name.encode(), 0, None, None)
    (failed,) = nvrtc.nvrtcCompileProgram(program, len(flags), flags)
    if failed != nvrtc.nvrtcResult.NVRTC_SUCCESS:
        log = b" " * nvrtc.nvrtcGetProgramLogSize(program)[1]
        nvrtc.nvrtcGetProgramLog(program, log)
        raise ConfigError(f"NVRTC refuses {native.SOURCE.name}: {log.decode().splitlines()[0]}")
    text: bytes = b" " * nvrtc.nvrtcGetPTXSize(program)[1]
    nvrtc.nvrtcGetPTX(program, text)
    nvrtc.nvrtcDestroyProgram(program)
    return text.rstrip(b"\0")


def wrongly_rounded(ptx: str) -> set[str]:
    """Return the instructions in a text of PTX that round otherwise than the law."""
    return set(WRONGLY_ROUNDED.findall(ptx))


@cache
def load(**others: bool) -> Kernel:
    """Return the kernel of a GPU as this processor runs it; with `others`, one compiled by other options.

    Raises:
        ConfigError: There is no C++ compiler, or NVRTC or it refuses the kernel.
        UnknownInstructionError: The translator does not know what NVRTC made.
    """
    with tempfile.TemporaryDirectory(prefix="atoll-") as temporary:
        source = Path(temporary) / "life-ptx.cpp"
        ptx = compile_ptx(**others)
        ptx = BARE.sub(r"\1.rn.f32", ptx) if others else ptx  # what the compiler did not fuse stays so here
        source.write_text(translate(ptx), encoding="utf-8")
        library = compiler.load(source, FLAGS)
    launch = library.functions.launch
    launch.argtypes, launch.restype = [ctypes.c_uint32, ctypes.POINTER(ctypes.c_uint64)], None

    def live(plan: Plan, rows: Floats, pellets: Floats, out: Floats) -> None:
        blocks = -(-plan.creatures * plan.courses // cuda.THREADS)
        at = (ctypes.addressof(plan), rows.ctypes.data, pellets.ctypes.data, out.ctypes.data)
        launch(blocks, (ctypes.c_uint64 * len(at))(*at))

    return native.Kernel(live, 1, library.sha256, machine="PTX on a processor")
