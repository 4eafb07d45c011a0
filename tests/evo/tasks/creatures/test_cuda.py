"""The GPU's evaluator lives the native kernel's lives, bit for bit; without a GPU its PTX is run on the processor.

The tests of lives run twice: on the processor wherever NVRTC and a compiler are, and on the GPU where there is one.
"""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from atoll.evo import compiler
from atoll.evo.errors import ConfigError, NoMemoryError, TaskError
from atoll.evo.tasks.creatures import body, cuda, native
from atoll.evo.tasks.creatures.fitness import Status
from atoll.evo.tasks.creatures.task import CreatureOptions, Creatures
from atoll.evo.tasks.loader import load_task
from atoll.scripts.lab.gpu import emulated
from tests.evo.tasks.creatures import gpus
from tests.evo.tasks.creatures.test_native import evolved

core = pytest.importorskip("cuda.core", reason="cuda-core is not installed (the extra cuda)")
pytestmark = pytest.mark.skipif(compiler.find() is None, reason="no C++ compiler")
CONTROLLERS = pytest.mark.parametrize("controller", ["neural", "oscillator"])


@pytest.fixture(params=["PTX on the processor", "GPU"])
def kernel(request):
    """The kernel as NVRTC made it, where it runs."""
    if request.param != "GPU":
        return emulated.load()
    try:
        return cuda.load()
    except ConfigError as error:
        pytest.skip(f"no GPU to be had: {error}")


def task(controller="neural", *, courses=2, life_s=6.0, **options):
    return Creatures(
        CreatureOptions(courses=courses, life_s=life_s, controller=controller, **options), backend="native"
    )


def lives(creatures, genes, kernel, bodies=None):
    """Return what the kernel itself writes, [6, P, C], with each NaN as one NaN, and the summary made of it."""
    seen = []

    def simulate(plan, rows, pellets, out):
        kernel.simulate(plan, rows, pellets, out)
        seen.append(np.where(np.isnan(out), np.float32(np.nan), out))

    summary = native.simulate(
        bodies or body.decode(genes, creatures.spec),
        np.ascontiguousarray(genes[:, -creatures.n_weights :].T),
        creatures.pellets,
        controller=creatures.controller,
        ticks=round(creatures.options["life_s"] * 10),
        world=creatures.world,
        kernel=replace(kernel, simulate=simulate),
    )
    return seen[0], summary


def n_equal(creatures, genes, kernel, bodies=None):
    """Return how many lives have the bits of the native kernel, how many there are, and their summary."""
    law, summary = lives(creatures, genes, native.load(), bodies)
    found, _ = lives(creatures, genes, kernel, bodies)
    equal = (law.view(np.int32) == found.view(np.int32)).all(axis=0)
    return int(equal.sum()), equal.size, summary


def assert_same_bits(creatures, genes, kernel, bodies=None):
    equal, n, summary = n_equal(creatures, genes, kernel, bodies)
    assert equal == n > 0
    return summary


# one arithmetic


def test_the_ptx_rounds_as_the_law_does_and_would_not_if_sums_were_fused():
    assert emulated.wrongly_rounded(emulated.compile_ptx()) == set()
    fused = emulated.wrongly_rounded(emulated.compile_ptx(fma=True))
    assert "fma.rn.f32" in fused
    assert {"add.f32", "mul.f32"} <= fused  # which an assembler may fuse


def test_lives_are_others_if_products_and_sums_are_fused():
    creatures = task()
    equal, n, _ = n_equal(creatures, creatures.spec.sample(np.random.default_rng(1), 40), emulated.load(fma=True))
    assert equal < n / 2


@CONTROLLERS
def test_random_lives_have_the_bits_of_the_native_kernel_in_every_size_of_batch(controller, kernel):
    creatures = task(controller, courses=1, life_s=10.0)
    for n in (1, cuda.THREADS - 1, cuda.THREADS, cuda.THREADS + 1, 150):
        assert_same_bits(creatures, creatures.spec.sample(np.random.default_rng(n), n), kernel)


@CONTROLLERS
def test_evolved_whole_lives_have_the_bits_of_the_native_kernel(controller, kernel):
    creatures = task(controller, courses=3, life_s=30.0)
    summary = assert_same_bits(creatures, evolved(creatures, 64, generations=30)[:24], kernel)
    assert summary.collected.max() >= 1


@CONTROLLERS
@pytest.mark.parametrize("factor", [1e3, 1e12, np.nan])
def test_lives_that_blow_up_have_the_bits_of_the_native_kernel(controller, factor, kernel):
    creatures = task(controller, breaking_m_s=0.0)
    genes = creatures.spec.sample(np.random.default_rng(5), 24)
    bodies = body.decode(genes, creatures.spec)
    stiffness = np.where(bodies.stiffness_n_m > 0, bodies.stiffness_n_m * np.float32(factor), np.float32(0))
    stiff = replace(bodies, stiffness_n_m=stiffness)
    summary = assert_same_bits(creatures, genes, kernel, stiff)
    assert np.any(summary.status == Status.FAILED)


def test_bodies_that_break_have_the_bits_of_the_native_kernel(kernel):
    creatures = task(breaking_m_s=3.0)
    genes = creatures.spec.sample(np.random.default_rng(6), 40)
    summary = assert_same_bits(creatures, genes, kernel)
    unbroken = lives(task(breaking_m_s=0.0), genes, native.load())[1]
    assert summary.travel_m.tobytes() != unbroken.travel_m.tobytes()


def test_faint_numbers_are_kept(kernel):
    creatures = task()
    genes = creatures.spec.sample(np.random.default_rng(7), 24)
    bodies = body.decode(genes, creatures.spec)
    faint = replace(bodies, swing_m=bodies.swing_m * np.float32(1e-38), damping_n_s_m=bodies.damping_n_s_m * 0)
    assert_same_bits(creatures, genes, kernel, faint)


@pytest.mark.slow
@CONTROLLERS
def test_whole_lives_of_200_random_and_100_evolved_creatures_have_the_bits_of_the_native_kernel(controller, kernel):
    creatures = task(controller, courses=8, life_s=30.0)
    assert_same_bits(creatures, creatures.spec.sample(np.random.default_rng(11), 200), kernel)
    assert_same_bits(creatures, evolved(creatures, 160)[:100], kernel)


# what the evaluator asks of a GPU


@pytest.fixture
def played(monkeypatch):
    """A GPU that is played by the PTX, and its device."""
    device = gpus.Device()
    return gpus.play(monkeypatch, device), device


def test_a_call_is_two_copies_one_launch_and_one_wait(played):
    gpu, device = played
    creatures = task(courses=3)
    kernel = native.Kernel(gpu.live, 1, gpu.sha256, machine=gpu.name)
    assert_same_bits(creatures, creatures.spec.sample(np.random.default_rng(1), 50), kernel)
    assert device.stream.calls == ["to the device", "3 blocks of 64", "from the device", "wait"]


def test_calls_of_any_size_follow_each_other_and_pinned_memory_only_grows(played):
    gpu, device = played
    creatures = task(courses=1, life_s=1.0)
    kernel = native.Kernel(gpu.live, 1, gpu.sha256)
    for n in (3, 70, 5, 70):
        assert_same_bits(creatures, creatures.spec.sample(np.random.default_rng(n), n), kernel)
    assert len(gpu._pinning.asked) == 3  # a first piece, and one for each larger call
    assert device.stream.calls.count("wait") == 4


def test_nobody_lives_nothing_and_nothing_is_launched(played):
    gpu, device = played
    creatures = task()
    nobody = creatures.spec.sample(np.random.default_rng(0), 0)
    out, _ = lives(creatures, nobody, native.Kernel(gpu.live, 1, gpu.sha256))
    assert out.shape == (6, 0, 2)
    assert device.stream.calls == []


def test_a_full_gpu_and_one_that_fails_are_errors_to_read(played, monkeypatch):
    gpu, device = played
    creatures = task(life_s=0.1)
    genes = creatures.spec.sample(np.random.default_rng(0), 3)
    kernel = native.Kernel(gpu.live, 1, gpu.sha256)
    device.memory_bytes = 100
    with pytest.raises(NoMemoryError, match=r"the GPU \(a GPU that is played\) has not enough memory left"):
        lives(creatures, genes, kernel)
    device.memory_bytes = 1 << 40

    def fail(*_):
        raise gpus.CUDAError("CUDA_ERROR_ILLEGAL_ADDRESS: While executing a kernel, ...\nThis leaves the process ...")

    monkeypatch.setattr("cuda.core.launch", fail)
    with pytest.raises(TaskError, match=r"the GPU .* cannot be used: CUDA_ERROR_ILLEGAL_ADDRESS") as failure:
        lives(creatures, genes, kernel)
    assert "\n" not in str(failure.value)


def test_cuda_core_has_all_that_is_played():
    of_ours = {"bytes", "view", "calls", "memory_bytes", "stream", "asked"}
    for kind, played in (
        (core.Device, gpus.Device),
        (core.Buffer, gpus.Memory),
        (core.Stream, gpus.Stream),
        (core.LegacyPinnedMemoryResource, gpus.Pinning),
    ):
        assert {name for name in dir(played) if not name.startswith("_")} - of_ours <= {*dir(kind)}
    assert {"from_handle", "size", "handle", "close"} <= {*dir(core.Buffer)}
    assert {"get_all_devices"} <= {*dir(core.Device)}
    assert {"from_cubin", "get_kernel"} <= {*dir(core.ObjectCode)}
    assert core.LaunchConfig(grid=3, block=64) == core.LaunchConfig(grid=(3, 1, 1), block=(64, 1, 1))


# choosing


@pytest.fixture(autouse=True)
def forgotten():
    """What was loaded is forgotten before and after, as it depends on what a test pretends."""
    cuda.load.cache_clear()
    yield
    cuda.load.cache_clear()


@pytest.fixture
def installed(monkeypatch):
    """Pretend a driver, of a version, with a number of GPUs."""

    def pretend(*, version=13000, devices=1):
        monkeypatch.setattr("cuda.bindings.driver.cuDriverGetVersion", lambda: (0, version))
        found = tuple(gpus.Device() for _ in range(devices))
        for number, device in enumerate(found):
            device.device_id = number
        monkeypatch.setattr("cuda.core.Device.get_all_devices", lambda: found)
        gpus.play(monkeypatch, gpus.Device())

    return pretend


def refusal(device="cuda:0"):
    """Return the one line with which a GPU is refused."""
    with pytest.raises(ConfigError) as refused:
        Creatures(CreatureOptions(), backend="cuda", device=device)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_a_gpu_is_found_named_and_used(installed):
    installed(devices=2)
    creatures = Creatures(CreatureOptions(courses=1, life_s=1.0), backend="cuda", device="cuda:1")
    assert creatures.backend == "cuda"
    assert creatures.build == "a GPU that is played, kernel sm_90"
    genes = creatures.spec.sample(np.random.default_rng(2), 9)
    law = Creatures(CreatureOptions(courses=1, life_s=1.0), backend="native")
    assert creatures.evaluate(genes, 0).tobytes() == law.evaluate(genes, 0).tobytes()


def test_auto_takes_a_gpu_only_if_one_is_named(installed):
    installed()
    assert Creatures(CreatureOptions()).backend == "native"
    assert Creatures(CreatureOptions(), device="cuda:0").backend == "cuda"


def test_auto_falls_back_from_a_gpu_and_says_why(installed):
    installed(version=12040)
    creatures = Creatures(CreatureOptions(), device="cuda:0")
    assert creatures.backend == "native"
    assert creatures.build.startswith(native.load().build)
    assert creatures.build.endswith(
        "; not cuda:0: the NVIDIA driver knows CUDA 12.4, and 13.0 is needed: install driver 580 or newer"
    )


def test_what_is_missing_is_named_in_one_line(installed, monkeypatch):
    installed(version=12090)
    assert "the NVIDIA driver knows CUDA 12.9, and 13.0 is needed" in refusal()
    installed(devices=1)
    assert refusal("cuda:3").startswith("--backend cuda: there is no cuda:3; here is cuda:0; or use --backend native")
    assert "device must be cuda:N, for example cuda:0; got 'gpu'" in refusal("gpu")

    class DynamicLibNotFoundError(RuntimeError):
        pass

    def fail(error):
        def call(*_):
            raise error

        return call

    for error, told in (
        (DynamicLibNotFoundError('"cuda" is an NVIDIA driver library'), "no NVIDIA driver is installed"),
        (DynamicLibNotFoundError('Failure finding "nvrtc"'), "NVIDIA's compiler is not installed: pip install"),
        (gpus.CUDAError("CUDA_ERROR_NO_DEVICE: no CUDA-capable device is detected"), "there is no NVIDIA GPU"),
        (gpus.CUDAError("CUDA_ERROR_DEVICE_UNAVAILABLE: busy"), "cuda:0 cannot be used: CUDA_ERROR_DEVICE_UNAVAILABLE"),
        (ModuleNotFoundError("No module named 'cuda'", name="cuda"), "the packages for a GPU are not installed"),
    ):
        monkeypatch.setattr("cuda.core.Device.get_all_devices", fail(error))
        assert told in refusal()
    monkeypatch.setattr("cuda.core.Device.get_all_devices", fail(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):  # a bug is not called a missing GPU
        cuda.load()


def test_a_machine_without_a_driver_says_so():
    """Nothing is pretended here."""
    if cuda_is_usable():
        pytest.skip("a GPU is here")
    assert "NVIDIA" in refusal()
    assert refusal().endswith("or use --backend native")


def cuda_is_usable():
    try:
        cuda.load()
    except ConfigError:
        return False
    return True


def test_only_creatures_have_a_device():
    with pytest.raises(ConfigError, match="task sphere has no evaluator for a GPU: leave out --device cuda:0"):
        load_task("sphere", {}, device="cuda:0")


def test_an_island_that_uses_no_gpu_imports_nothing_of_it():
    code = (
        "import sys, numpy as np\n"
        "from atoll.evo.tasks.loader import load_task\n"
        "task = load_task('creatures', {'courses': '1', 'life_s': '0.1'})\n"
        "task.evaluate(task.spec.sample(np.random.default_rng(0), 3), 0)\n"
        "sys.exit(any(name.partition('.')[0] == 'cuda' or name.endswith('creatures.cuda') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.slow
def test_the_cubin_for_an_architecture_is_compiled_once_without_a_gpu(monkeypatch, tmp_path, caplog):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first, again = cuda._compiled("sm_90"), cuda._compiled("sm_90")
    assert first == again
    assert first[1].startswith(b"\x7fELF")
    assert caplog.messages == ["compiling the kernel life.cpp for sm_90 (once per machine) ..."]
    assert cuda.key_of("sm_100") != first[0]
    assert [path.suffix for path in (tmp_path / "atoll").iterdir()] == [".cubin"]
