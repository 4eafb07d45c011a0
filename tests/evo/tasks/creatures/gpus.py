"""A GPU that is played: what `cuda.core` gives the evaluator, in the memory of this process.

It holds the evaluator to the rules of a GPU: memory of another size is not copied, and nothing is found in what was
never sent.
"""

import ctypes

import numpy as np

from atoll.evo.tasks.creatures import cuda
from atoll.scripts.lab.gpu import emulated


class Memory:
    """Memory on the device; what is in it at first is noise."""

    def __init__(self, size):
        self.size = size
        self.bytes = np.full(size, 0xAB, np.uint8)
        self.handle = self.bytes.ctypes.data
        self.is_closed = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.is_closed = True

    def copy_from(self, source, *, stream):
        stream.calls.append("to the device")
        self.view(source)[...] = np.ctypeslib.as_array((ctypes.c_uint8 * source.size).from_address(int(source.handle)))

    def copy_to(self, target, *, stream):
        stream.calls.append("from the device")
        np.ctypeslib.as_array((ctypes.c_uint8 * target.size).from_address(int(target.handle)))[...] = self.view(target)

    def view(self, other):
        if self.is_closed or other.size != self.size:
            raise ValueError(f"a copy of {other.size} bytes and {self.size}, closed: {self.is_closed}")
        return self.bytes


class Stream:
    def __init__(self):
        self.calls = []

    def sync(self):
        self.calls.append("wait")


class Device:
    """A device of an architecture."""

    name, arch, device_id = "a GPU that is played", "90", 0

    def __init__(self, *, memory_bytes=1 << 40):
        self.memory_bytes = memory_bytes
        self.stream = Stream()

    def set_current(self):
        pass

    def create_stream(self):
        return self.stream

    def allocate(self, size, *, stream):
        assert stream is self.stream
        if size > self.memory_bytes:
            raise CUDAError("CUDA_ERROR_OUT_OF_MEMORY: The API call failed because it was unable to allocate memory")
        return Memory(size)


class CUDAError(Exception):
    """Has the name of what `cuda.core` raises."""


class Pinning:
    """Pinned memory, and how often it was asked for."""

    asked = ()

    def allocate(self, size, *, stream):  # noqa: ARG002 - the signature of cuda.core
        self.asked = (*self.asked, size)
        memory = Memory(size)
        memory.close = lambda: None
        return memory


def play(monkeypatch, device):
    """Return the evaluator's GPU, played on that device by the kernel's PTX."""
    kernel = emulated.load()

    def launch(stream, config, _, *at):
        stream.calls.append(f"{config.grid[0]} blocks of {config.block[0]}")
        plan, rows, pellets, out = at
        plan = cuda.native.Plan.from_address(plan)
        lives = plan.creatures * plan.courses
        as_floats = [ctypes.cast(at, ctypes.POINTER(ctypes.c_float)) for at in (rows, pellets)]
        arrays = [np.ctypeslib.as_array(at, (1,)) for at in as_floats]
        found = np.ctypeslib.as_array(ctypes.cast(out, ctypes.POINTER(ctypes.c_float)), (6 * lives,))
        kernel.simulate(plan, *arrays, found)

    class Program:
        def get_kernel(self, name):
            assert name == "live"

    monkeypatch.setattr("cuda.core.launch", launch)
    monkeypatch.setattr("cuda.core.LegacyPinnedMemoryResource", Pinning)
    monkeypatch.setattr("cuda.core.ObjectCode", type("ObjectCode", (), {"from_cubin": lambda *_, **__: Program()}))
    monkeypatch.setattr(cuda, "_compiled", lambda arch: (arch, b""))
    return cuda.Gpu(device)
