"""The GPU evaluator (CUDA): the native kernel's text, a thread for each life, all lives of a call in one launch.

`kernel/life.cpp` is compiled for the GPU that is there by NVRTC, NVIDIA's compiler as a library, with the options that
round as the law does. So the lives are those of `reference`, bit for bit. The program that comes out (a cubin) is kept
beside the native libraries. A call copies its rows to the GPU, launches the kernel once, copies the results back and
waits once; the memory for that stays for the next call.

Sources: NVIDIA, "CUDA C++ Programming Guide", sections on the compiler's mathematics; the documentation of cuda.core.
"""

from __future__ import annotations

import ctypes
import threading
from contextlib import contextmanager
from functools import cache, partial
from typing import TYPE_CHECKING

import numpy as np

from atoll.evo import compiler
from atoll.evo.config import DEVICE
from atoll.evo.errors import ConfigError, NoMemoryError, TaskError
from atoll.evo.tasks.creatures import native

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cuda.core import Buffer, Device, ProgramOptions

    from atoll.evo.errors import AtollError
    from atoll.evo.genome import Floats
    from atoll.evo.tasks.creatures.native import Kernel, Plan

FIRST = "cuda:0"
"""The device that is used if nobody names one."""
THREADS = 64
"""Lives in one block of threads: two warps, so that a small population is spread over many processors of the GPU."""
LEAST_DRIVER = 13000
"""CUDA 13.0 as a driver counts versions; what NVRTC 13 makes is no program for an older one."""
ROWS_AT = 256
"""Where the rows begin in what is copied, in bytes, after the plan; a GPU reads from multiples of that fastest."""
INSTALL = "pip install 'atoll[cuda]'"


def options(arch: str, **others: bool) -> ProgramOptions:
    """Return what NVRTC is told, for an architecture such as "sm_90".

    Every operation rounds on its own (`fma` would fuse a product and a sum), roots and quotients are exact, and
    subnormal numbers are kept. `others` break these rules, for who wants to see that a test notices.
    """
    from cuda.core import ProgramOptions  # noqa: PLC0415 - installed by those who have a GPU

    rounding = {"fma": False, "prec_div": True, "prec_sqrt": True, "ftz": False, **others}
    return ProgramOptions(
        **rounding,
        name=native.SOURCE.name,
        std="c++17",
        arch=arch,
        device_as_default_execution_space=True,
        define_macro=[("LANES", "1"), ("THREADS", str(THREADS)), *native.macros()],
    )


@cache
def load(device: str = FIRST) -> Kernel:
    """Compile the kernel for a GPU, or take it from the cache.

    Raises:
        ConfigError: A package or the driver is missing or too old, there is no such GPU, or it cannot be used.
        NoMemoryError: The GPU has no memory left for a program.
    """
    found = DEVICE.fullmatch(device)
    if found is None:
        raise ConfigError(f"device must be cuda:N, for example {FIRST}; got {device!r}")
    with _explained(device, ConfigError):
        _check_driver()
        gpu = Gpu(_device(int(found[1])))
        return native.Kernel(gpu.live, 1, gpu.sha256, machine=gpu.name)


class Gpu:
    """A GPU that has the kernel: `live` has the form of `native.Kernel.simulate`.

    Attributes:
        name: What its maker calls it.
        sha256: Of source, options, architecture and compiler, abbreviated.
    """

    def __init__(self, device: Device) -> None:
        from cuda.core import LegacyPinnedMemoryResource, ObjectCode  # noqa: PLC0415 - see above

        device.set_current()
        self.name = device.name
        self.sha256, program = _compiled(f"sm_{device.arch}")
        self._kernel = ObjectCode.from_cubin(program, name=native.SOURCE.name).get_kernel("live")
        self._device = device
        self._stream = device.create_stream()
        self._pinning = LegacyPinnedMemoryResource()
        self._pinned = self._pinning.allocate(ROWS_AT, stream=self._stream)
        self._one_at_a_time = threading.Lock()

    def live(self, plan: Plan, rows: Floats, pellets: Floats, out: Floats) -> None:
        """Live the lives of a plan and put their results into `out`, [6, P, C]; see `kernel/life.cpp`.

        Raises:
            NoMemoryError: They do not fit into the memory of the GPU.
            TaskError: The GPU failed.
        """
        from cuda.core import LaunchConfig, launch  # noqa: PLC0415 - see above

        if out.size == 0:
            return  # nothing is no launch
        pellets_at = ROWS_AT + rows.nbytes
        sent_bytes = pellets_at + pellets.nbytes
        config = LaunchConfig(grid=-(-plan.creatures * plan.courses // THREADS), block=THREADS)
        with self._one_at_a_time, _explained(f"the GPU ({self.name})", TaskError):
            self._device.set_current()  # each thread of a process has a device of its own
            sent, found = self._pin(sent_bytes, out.nbytes)
            _put(sent, 0, np.frombuffer(bytes(plan), np.uint8))
            _put(sent, ROWS_AT, rows)
            _put(sent, pellets_at, pellets)
            stream = self._stream
            take = partial(self._device.allocate, stream=stream)
            with take(sent_bytes) as given, take(out.nbytes) as results:
                given.copy_from(sent, stream=stream)
                at = int(given.handle)
                launch(stream, config, self._kernel, at, at + ROWS_AT, at + pellets_at, int(results.handle))
                results.copy_to(found, stream=stream)
                stream.sync()
            out[...] = _array(found).view(np.float32).reshape(out.shape)

    def _pin(self, *sizes: int) -> Iterator[Buffer]:
        """Return pinned memory of each size, in bytes: parts of one piece, which grows and stays."""
        from cuda.core import Buffer  # noqa: PLC0415 - see above

        starts = np.cumsum([0, *(-(-size // ROWS_AT) * ROWS_AT for size in sizes)])
        if self._pinned.size < starts[-1]:
            self._pinned.close()
            self._pinned = self._pinning.allocate(int(starts[-1]), stream=self._stream)
        at = int(self._pinned.handle)
        return (
            Buffer.from_handle(at + int(start), size, owner=self._pinned)
            for start, size in zip(starts, sizes, strict=False)
        )


def _array(pinned: Buffer) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    return np.ctypeslib.as_array((ctypes.c_uint8 * pinned.size).from_address(int(pinned.handle)))


def _put(pinned: Buffer, at: int, values: np.ndarray[tuple[int, ...], np.dtype[np.float32 | np.uint8]]) -> None:
    _array(pinned)[at : at + values.nbytes] = values.reshape(-1).view(np.uint8)


def _compiled(arch: str) -> tuple[str, bytes]:
    """Return the hash and the bytes of the kernel's program for an architecture."""
    from cuda.core import Program  # noqa: PLC0415 - see above

    key, said = key_of(arch), options(arch)

    def compile_it() -> bytes:
        compiler.LOG.warning("compiling the kernel %s for %s (once per machine) ...", native.SOURCE.name, arch)
        return bytes(Program(native.SOURCE.read_text(encoding="utf-8"), "c++", said).compile("cubin").code)

    return key, compiler.once(f"{native.SOURCE.stem}-{key}", ".cubin", compile_it)


def key_of(arch: str, **others: bool) -> str:
    """Return the name of what NVRTC makes of the kernel: a hash of text, options and compiler."""
    from cuda.bindings import nvrtc  # noqa: PLC0415 - see above

    flags = [flag.decode() for flag in options(arch, **others).as_bytes("nvrtc")]
    return compiler.key_of(native.SOURCE.read_text(encoding="utf-8"), flags, nvrtc.nvrtcVersion()[1:])


def _check_driver() -> None:
    """Raise ConfigError where the driver is older than the compiler."""
    from cuda.bindings import driver  # noqa: PLC0415 - see above

    _, version = driver.cuDriverGetVersion()
    if version < LEAST_DRIVER:
        knows, needed = (f"{each // 1000}.{each % 1000 // 10}" for each in (version, LEAST_DRIVER))
        raise ConfigError(f"the NVIDIA driver knows CUDA {knows}, and {needed} is needed: install driver 580 or newer")


def _device(number: int) -> Device:
    from cuda.core import Device  # noqa: PLC0415 - see above

    devices = Device.get_all_devices()
    if number >= len(devices):
        here = ", ".join(f"cuda:{device.device_id}" for device in devices)
        raise ConfigError(f"there is no cuda:{number}; here {'is' if len(devices) == 1 else 'are'} {here or 'none'}")
    return devices[number]


@contextmanager
def _explained(what: str, kind: type[AtollError]) -> Iterator[None]:
    """Turn what the packages of CUDA raise into errors of one line, of a kind unless it is about memory.

    cuda.core names neither its class of errors nor the library that a missing one is of, so their words are read.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("cuda"):
            raise
        raise kind(f"the packages for a GPU are not installed ({error}): {INSTALL}") from error
    except Exception as error:
        said, names = " ".join(str(error).split()), {each.__name__ for each in type(error).__mro__}
        if "CUDAError" in names and "OUT_OF_MEMORY" in said:
            raise NoMemoryError(f"{what} has not enough memory left: end what else runs there, or use fewer") from error
        if "CUDAError" in names:
            why = "there is no NVIDIA GPU" if "NO_DEVICE" in said else f"{what} cannot be used: {said[:200]}"
            raise kind(why) from error
        if "DynamicLibNotFoundError" in names:
            why = (
                f"NVIDIA's compiler is not installed: {INSTALL}" if "nvrtc" in said else "no NVIDIA driver is installed"
            )
            raise kind(why) from error
        raise
