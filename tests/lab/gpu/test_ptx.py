"""What PTX says of an instruction is what the translation does, and what is not known is refused."""

import ctypes

import numpy as np
import pytest

from atoll.evo import compiler
from atoll.scripts.lab.gpu.emulated import FLAGS
from atoll.scripts.lab.gpu.ptx import UnknownInstructionError, translate

pytestmark = pytest.mark.skipif(compiler.find() is None, reason="no C++ compiler")

PROGRAM = """
.visible .entry live(
    .param .u64 live_param_0,
    .param .u64 live_param_1
)
.maxntid 2, 1, 1
{
    .local .align 4 .b8 __local_depot0[16];
    .reg .pred %%p<9>;
    .reg .b16 %%rs<9>;
    .reg .f32 %%f<9>;
    .reg .b32 %%r<40>;
    .reg .b64 %%rd<9>;
    ld.param.u64 %%rd1, [live_param_0];
    ld.param.u64 %%rd2, [live_param_1];
    mov.u32 %%r1, %%ctaid.x;
    mov.u32 %%r2, %%tid.x;
    mov.u32 %%r3, %%ntid.x;
    mul.lo.s32 %%r4, %%r1, %%r3;
    add.s32 %%r4, %%r4, %%r2;
    mul.wide.u32 %%rd3, %%r4, 12;
    cvta.to.global.u64 %%rd1, %%rd1;
    add.s64 %%rd1, %%rd1, %%rd3;
    mul.wide.u32 %%rd4, %%r4, 4;
    add.s64 %%rd2, %%rd2, %%rd4;
    ld.global.nc.f32 %%f1, [%%rd1];
    ld.global.f32 %%f2, [%%rd1+4];
    ld.global.u32 %%r8, [%%rd1+8];
    ld.global.u32 %%r5, [%%rd1];
    ld.global.u32 %%r6, [%%rd1+4];
    %s
    st.global.u32 [%%rd2], %%r9;
    ret;
}
"""
FLOAT = "mov.b32 %r9, %f3;"


def run(instructions, values, tmp_path):
    """Run a program over rows of three 32-bit numbers, in blocks of two threads; return a number for each row."""
    source = tmp_path / "program.cpp"
    source.write_text(translate(PROGRAM % instructions))
    library = compiler.load(source, FLAGS, cache=tmp_path / "cache")
    given = np.ascontiguousarray(values)
    found = np.zeros(len(given), np.uint32)
    at = (ctypes.c_uint64 * 2)(given.ctypes.data, found.ctypes.data)
    library.functions.launch(ctypes.c_uint32(len(given) // 2), at)
    return found


FLOATS = np.array([0.0, -0.0, 1.0, -1.5, 3e38, -3e38, 1e-40, 0.1, np.inf, -np.inf, np.nan, 7.0], np.float32)
PAIRS = np.array([(a, b, 0.3) for a in FLOATS for b in FLOATS], np.float32)
A, B, C = PAIRS.T


def same(found, law):
    """Compare bits, any NaN with any other."""
    law = np.asarray(law, np.float32)
    return ((found == law.view(np.uint32)) | (np.isnan(found.view(np.float32)) & np.isnan(law))).all()


@pytest.mark.filterwarnings("ignore:.*encountered.*:RuntimeWarning")
@pytest.mark.parametrize(
    ("instruction", "law"),
    [
        ("add.rn.f32 %f3, %f1, %f2;", lambda: A + B),
        ("sub.rn.f32 %f3, %f1, %f2;", lambda: A - B),
        ("mul.rn.f32 %f3, %f1, %f2;", lambda: A * B),
        ("div.rn.f32 %f3, %f1, %f2;", lambda: A / B),
        ("rcp.rn.f32 %f3, %f1;", lambda: np.float32(1) / A),
        ("sqrt.rn.f32 %f3, %f1;", lambda: np.sqrt(A)),
        ("neg.f32 %f3, %f1;", lambda: -A),
        ("abs.f32 %f3, %f1;", lambda: abs(A)),
        ("fma.rn.f32 %f3, %f1, %f2, %f2;", lambda: (A.astype("f8") * B + B).astype("f4")),
        ("mov.f32 %f3, 0f3DCCCCCD;", lambda: np.full(len(A), 0.1, "f4")),
        ("st.local.f32 [__local_depot0+4], %f1;\n ld.local.f32 %f3, [__local_depot0+4];", lambda: A),
        ("@%p1 bra $L_1;\n neg.f32 %f1, %f1;\n $L_1:\n mov.f32 %f3, %f1;", lambda: np.where(A < B, A, -A)),
        ("selp.f32 %f3, %f1, %f2, %p1;", lambda: np.where(A < B, A, B)),
        ("@!%p1 mov.f32 %f1, %f2;\n mov.f32 %f3, %f1;", lambda: np.where(A < B, A, B)),
    ],
)
def test_float32_is_rounded_once_to_the_nearest(instruction, law, tmp_path):
    with np.errstate(all="ignore"):
        expected = law()
    assert same(run(f"setp.lt.f32 %p1, %f1, %f2;\n {instruction}\n {FLOAT}", PAIRS, tmp_path), expected)


def test_the_least_of_a_number_and_nan_is_the_number_and_minus_zero_is_less(tmp_path):
    found = run(f"min.f32 %f3, %f1, %f2;\n {FLOAT}", PAIRS, tmp_path)
    law = np.fmin(A, B)
    law[(A == 0) & (B == 0)] = np.where(np.signbit(A) | np.signbit(B), np.float32(-0.0), 0)[(A == 0) & (B == 0)]
    assert same(found, law)


@pytest.mark.parametrize("how", ["lt", "le", "gt", "ge", "eq"])
def test_a_comparison_with_nan_is_false_and_an_unordered_one_true(how, tmp_path):
    law = getattr(np, {"lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal", "eq": "equal"}[how])
    opposite = {"lt": "geu", "le": "gtu", "gt": "leu", "ge": "ltu", "eq": "neu"}[how]
    for name, expected in ((how, law(A, B)), (opposite, ~law(A, B))):
        found = run(f"setp.{name}.f32 %p1, %f1, %f2;\n selp.u32 %r9, 1, 0, %p1;", PAIRS, tmp_path)
        assert (found == expected).all()


WORDS = (0, 1, 7, 0x7FFF, 0x8000, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1)
WHOLE = np.array([(a, b, 0) for a in WORDS for b in WORDS], np.uint32)
RANDOM = np.random.default_rng(1).integers(0, 2**32, (301, 3), np.uint32)
NUMBERS = np.concatenate([WHOLE, RANDOM])
N, M = (NUMBERS[:, i].astype(object) for i in range(2))  # without end, as Python's
SIGNED_N, SIGNED_M = (NUMBERS[:, i].astype(np.int32).astype(object) for i in range(2))


@pytest.mark.parametrize(
    ("instruction", "law"),
    [
        ("add.s32 %r9, %r5, %r6;", N + M),
        ("sub.s32 %r9, %r5, %r6;", N - M),
        ("mul.lo.s32 %r9, %r5, %r6;", N * M),
        ("and.b32 %r9, %r5, -16;", N & ~15),
        ("shl.b32 %r9, %r5, 7;", N << 7),
        ("shr.s32 %r9, %r5, 3;", SIGNED_N >> 3),
        ("shr.u32 %r9, %r5, 3;", N >> 3),
        ("bfi.b32 %r9, %r5, %r6, 4, 9;", (M & ~(511 << 4)) | ((N & 511) << 4)),
        ("setp.lt.s32 %p1, %r5, %r6;\n selp.b32 %r9, 1, 0, %p1;", SIGNED_N < SIGNED_M),
        ("setp.lt.u32 %p1, %r5, %r6;\n selp.b32 %r9, 1, 0, %p1;", N < M),
        ("cvt.u16.u32 %rs1, %r5;\n setp.gt.s16 %p1, %rs1, -1;\n selp.b32 %r9, 1, 0, %p1;", (N & 0x8000) == 0),
        ("mul.wide.u32 %rd5, %r5, %r6;\n shr.u64 %rd5, %rd5, 32;\n cvt.u32.u64 %r9, %rd5;", (N * M) >> 32),
    ],
)
def test_whole_numbers_wrap_and_signs_are_kept(instruction, law, tmp_path):
    found = run(instruction, NUMBERS, tmp_path)
    assert [int(each) for each in found] == [int(each) % 2**32 for each in law]


@pytest.mark.parametrize(
    "instruction",
    [
        "add.f32 %f3, %f1, %f2;",
        "add.rn.ftz.f32 %f3, %f1, %f2;",
        "mul.ftz.f32 %f3, %f1, %f2;",
        "rsqrt.approx.f32 %f3, %f1;",
        "div.full.f32 %f3, %f1, %f2;",
        "add.rn.f32 %f3, %f1;",
        "setp.lt.and.f32 %p1, %f1, %f2, %p2;",
        "setp.ne.f32 %p1, %f1, %f2;",
        "ld.shared.f32 %f3, [%rd1];",
        "ld.global.v2.f32 {%f3, %f4}, [%rd1];",
        "shl.b32 %r9, %r5, %r6;",
        "cvt.rzi.f32.f32 %f3, %f1;",
        "cvt.f32.u32 %f3, %r5;",
        "mov.f32 %f3, %g1;",
        "mov.f64 %fd1, %fd2;",
        "bar.sync 0;",
        "call helper;",
        ".shared .align 4 .b8 memory[16];",
    ],
)
def test_what_is_not_known_is_refused(instruction):
    with pytest.raises(UnknownInstructionError, match="unknown"):
        translate(PROGRAM % instruction)


def test_a_text_without_a_kernel_is_refused():
    with pytest.raises(UnknownInstructionError, match="expected one kernel"):
        translate(".version 9.5\n.target sm_90\n")
