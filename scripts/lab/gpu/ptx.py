"""PTX to C++: a translator, so that what the CUDA compiler made of a kernel runs on a processor, bit for bit.

PTX is the assembly language of NVIDIA's GPUs. By its specification `add.rn.f32` and the others below are operations of
IEEE 754 that are neither contracted nor reordered. Here every register becomes a variable, every instruction a
statement and every branch a `goto`, so a C++ compiler that does not contract gives the bits of a GPU. What is left to
trust are the assembler of the GPU and the chip.

The translator knows the instructions that kernels of one thread a life need: no calls, no vectors, no shared memory.
It refuses all others, and every operation of float32 that does not say how it rounds.

Source: NVIDIA, "Parallel Thread Execution ISA".
"""

from __future__ import annotations

import re
from dataclasses import dataclass

TYPES = {
    "pred": "bool",
    **{f"{kind}{bits}": f"uint{bits}_t" for kind in "bu" for bits in (16, 32, 64)},
    **{f"s{bits}": f"int{bits}_t" for bits in (16, 32, 64)},
    "f32": "float",
}
"""What each type of PTX is in C++."""
FLOATS = {
    "add.rn": "{1} + {2}",
    "sub.rn": "{1} - {2}",
    "mul.rn": "{1} * {2}",
    "div.rn": "{1} / {2}",
    "rcp.rn": "1.0f / {1}",
    "sqrt.rn": "__builtin_sqrtf({1})",
    "fma.rn": "__builtin_fmaf({1}, {2}, {3})",
    "neg": "-{1}",
    "abs": "__builtin_fabsf({1})",
    "min": "least({1}, {2})",
}
"""Operations of float32, each rounded once. A bare `add.f32` may be contracted, and is therefore not among them."""
WRAPPING = {"add": "{1} + {2}", "sub": "{1} - {2}", "mul.lo": "{1} * {2}", "neg": "0 - {1}", "not": "~{1}"}
"""Operations of whole numbers in which a sign makes no difference; C++ defines them for unsigned numbers only."""
WHOLE = {**WRAPPING, "div": "{1} / {2}", "rem": "{1} % {2}", "min": "{1} < {2} ? {1} : {2}"}
WHOLE |= {
    "bfi": "inserted({1}, {2}, {3}, {4})",
    "and": "{1} & {2}",
    "or": "{1} | {2}",
    "xor": "{1} ^ {2}",
    "max": "{1} > {2} ? {1} : {2}",
}
TRUTHS = {"and": "{1} & {2}", "or": "{1} | {2}", "xor": "{1} != {2}", "not": "!{1}"}
WIDE = {"u16": "u32", "s16": "s32", "u32": "u64", "s32": "s64"}
COMPARED = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}
UNSIGNED = {"lo": "<", "ls": "<=", "hi": ">", "hs": ">="}
UNORDERED = {"ltu": ">=", "leu": ">", "gtu": "<=", "geu": "<"}
"""A comparison that is true of NaN too is the opposite of one that is not."""
SPECIAL = {"%ctaid.x": "block", "%tid.x": "thread", "%ntid.x": "threads", "%nctaid.x": "blocks"}

LABEL = re.compile(r"(\$\w+):\s*")
STATEMENT = re.compile(r"(?:@(!?)%(\w+)\s+)?([a-z][\w.]*)\s*(.*)", re.DOTALL)
ENTRY = re.compile(r"\.visible \.entry (\w+)\((.*?)\)\s*\.maxntid (\d+)(?:, 1)*\s*\{(.*)\}\s*$", re.DOTALL)
REGISTERS = re.compile(r"\.reg \.(\w+)\s+%(\w+)(?:<(\d+)>)?\s*$")
LOCAL = re.compile(r"\.local \.align (\d+) \.b8\s+(\w+)\[(\d+)\]\s*$")
ADDRESS = re.compile(r"\[([%\w]+)(?:\+(-?\d+))?\]$")

FRAME = """\
// Translated from PTX; see atoll.scripts.lab.gpu.ptx.
#include <cstdint>
#include <cstring>
template <typename To, typename From> static inline To as(From from) {{
    static_assert(sizeof(To) == sizeof(From), "the bits of a value under another type");
    To to;
    memcpy(&to, &from, sizeof to);
    return to;
}}
template <typename T> static inline T load(uint64_t at) {{
    T value;
    memcpy(&value, (const void*)at, sizeof value);
    return value;
}}
static inline float least(float a, float b) {{  // of a number and NaN the number; -0 is less than 0
    if (a != a || b != b) return a != a ? b : a;
    return a < b || (a == b && as<uint32_t>(a) >> 31) ? a : b;
}}
static inline uint32_t inserted(uint32_t field, uint32_t into, uint32_t from, uint32_t bits) {{
    uint32_t mask = (uint32_t)(((1ull << bits) - 1) << from);
    return (into & ~mask) | ((field << from) & mask);
}}
template <typename T> static inline void store(uint64_t at, T value) {{ memcpy((void*)at, &value, sizeof value); }}
static void live(uint32_t block, uint32_t thread, uint32_t threads, uint32_t blocks, const uint64_t* parameter) {{
{body}
}}
extern "C" void launch(uint32_t blocks, const uint64_t* parameter) {{
    for (uint32_t block = 0; block < blocks; block++)
        for (uint32_t thread = 0; thread < {threads}; thread++) live(block, thread, {threads}, blocks, parameter);
}}
"""


class UnknownInstructionError(ValueError):
    """The PTX holds something that the translator does not know."""


@dataclass(frozen=True)
class Names:
    """What an operand of the kernel may name.

    Attributes:
        types: C++ type of each family of registers, by the letters before their numbers.
        arrays: Arrays in the memory of a thread.
        parameters: Parameters of the kernel, in their order; each has 64 bits.
    """

    types: dict[str, str]
    arrays: frozenset[str]
    parameters: tuple[str, ...]

    def type_of(self, register: str) -> str:
        """Return the C++ type of a register."""
        family = register.removeprefix("%")
        known = self.types.get(family) or self.types.get(family.rstrip("0123456789"))
        if known is None:
            raise UnknownInstructionError(f"unknown register {register}")
        return known

    def value(self, operand: str, kind: str) -> str:
        """Return the value of an operand as an expression of a C++ type."""
        if operand in SPECIAL:
            return f"as<{kind}>({SPECIAL[operand]})"
        if operand in self.arrays:
            return f"({kind})(uintptr_t){operand}"
        if operand.startswith("%"):
            name = operand.removeprefix("%")
            return name if self.type_of(operand) == kind else f"as<{kind}>({name})"
        if operand.startswith("0f"):
            return f"as<{kind}>(0x{operand[2:]}u)"
        if re.fullmatch(r"-?\d+", operand):
            return f"(({kind}){operand}ll)"
        raise UnknownInstructionError(f"unknown operand {operand}")

    def put(self, register: str, kind: str, expression: str) -> str:
        """Return the statement that gives a register a value of a C++ type."""
        return f"{register.removeprefix('%')} = as<{self.type_of(register)}>(({kind})({expression}));"

    def at(self, address: str) -> str:
        """Return a place in memory as an expression."""
        found = ADDRESS.match(address)
        if found is None:
            raise UnknownInstructionError(f"unknown address {address}")
        return f"{self.value(found[1], 'uint64_t')} + ({found[2] or 0}ll)"


def translate(ptx: str) -> str:
    """Translate a text of PTX with one kernel to C++ with `launch(blocks, parameters)`.

    Raises:
        UnknownInstructionError: It holds something else than the translator knows.
    """
    found = ENTRY.search(re.sub(r"//[^\n]*", "", ptx))
    if found is None:
        raise UnknownInstructionError("expected one kernel, `.visible .entry`, with `.maxntid`")
    _, parameters, threads, body = found.groups()
    parts = _parts(body)
    declared = [part for part in parts if part.startswith((".reg", ".local"))]
    names = _names(declared, re.findall(r"\.param \.u64 (?:\.ptr[^,]*? )?(\w+)", parameters))
    lines = [_declaration(part) for part in declared]
    lines += [_line(part, names) for part in parts if part not in declared and not part.startswith(".pragma")]
    return FRAME.format(body="\n".join([*lines, "done:;"]), threads=threads)


def _parts(body: str) -> list[str]:
    """Return labels, declarations and instructions in their order."""
    separated = LABEL.sub(r"\1:;", body)
    return list(filter(None, (part.strip() for part in separated.split(";"))))


def _names(declared: list[str], parameters: list[str]) -> Names:
    registers = [found for part in declared if (found := REGISTERS.match(part))]
    arrays = frozenset(found[2] for part in declared if (found := LOCAL.match(part)))
    return Names({found[2]: _type(found[1]) for found in registers}, arrays, tuple(parameters))


def _type(kind: str) -> str:
    if kind not in TYPES:
        raise UnknownInstructionError(f"unknown type .{kind}")
    return TYPES[kind]


def _declaration(part: str) -> str:
    if found := LOCAL.match(part):
        return f"alignas({found[1]}) unsigned char {found[2]}[{found[3]}];"
    if found := REGISTERS.match(part):
        kind, family, count = found.groups()
        names = [f"{family}{i}" for i in range(int(count))] if count else [family]
        return f"{_type(kind)} {', '.join(names)};"
    raise UnknownInstructionError(f"unknown declaration {part}")


def _line(part: str, names: Names) -> str:
    """Return what a label or an instruction is in C++."""
    if part.endswith(":"):
        return f"{part[1:]};"
    found = STATEMENT.fullmatch(part)
    if found is None:
        raise UnknownInstructionError(f"unknown statement {part!r}")
    negated, guard, name, text = found.groups()
    operands = [each.strip() for each in text.split(",")] if text else []
    condition = f"if ({'!' if negated else ''}{guard}) " if guard else ""
    return condition + "{ " + _instruction(name, operands, names) + " }"


def _instruction(name: str, operands: list[str], names: Names) -> str:
    if name in {"bra", "bra.uni", "ret", "exit"}:
        return f"goto {operands[0].removeprefix('$') if operands else 'done'};"
    operation, _, last = name.rpartition(".")
    kind = _type(last)
    first, *modifiers = operation.split(".")
    if first in {"ld", "st"}:
        return _memory(operation, kind, operands, names)
    if first == "setp" and len(modifiers) == 1:
        left, right = (names.value(each, kind) for each in operands[1:])
        return names.put(operands[0], "bool", _comparison(modifiers[0], last, left, right))
    if first == "cvt":
        return names.put(operands[0], *_conversion(operation, kind, names.value(operands[1], kind)))
    if operation in {"selp", "mul.wide", "shl", "shr"}:
        return _mixed(operation, last, operands, names)
    return _computation(operation, last, operands, names)


def _memory(operation: str, kind: str, operands: list[str], names: Names) -> str:
    if operation in {"ld.global", "ld.global.nc", "ld.local"}:
        return names.put(operands[0], kind, f"load<{kind}>({names.at(operands[1])})")
    if operation == "ld.param" and operands[1].strip("[]") in names.parameters:
        return names.put(operands[0], kind, f"parameter[{names.parameters.index(operands[1].strip('[]'))}]")
    if operation in {"st.global", "st.local"}:
        return f"store<{kind}>({names.at(operands[0])}, {names.value(operands[1], kind)});"
    raise UnknownInstructionError(f"unknown instruction {operation} {operands}")


def _comparison(how: str, kind: str, left: str, right: str) -> str:
    if how in COMPARED and (kind, how) != ("f32", "ne"):  # in C++ NaN differs from everything, in PTX it does not
        return f"{left} {COMPARED[how]} {right}"
    if kind == "f32" and how in UNORDERED:
        return f"!({left} {UNORDERED[how]} {right})"
    if kind == "f32" and how == "neu":
        return f"{left} != {right}"
    if kind.startswith("u") and how in UNSIGNED:
        return f"{left} {UNSIGNED[how]} {right}"
    raise UnknownInstructionError(f"unknown comparison setp.{how}.{kind}")


def _conversion(operation: str, kind: str, value: str) -> tuple[str, str]:
    """Return the type that a conversion gives, and its value; a number that becomes whole has to be within range."""
    found = re.fullmatch(r"cvt\.((?:rn|rzi)\.)?(\w+)", operation)
    rounding, to = (found[1], _type(found[2])) if found else (None, "")
    expected = "rn." if to == "float" else "rzi." if kind == "float" else None  # C++ rounds so, both ways
    if found is None or rounding != expected or "bool" in {to, kind}:
        raise UnknownInstructionError(f"unknown conversion {operation} of {kind}")
    return to, f"({to}){value}"


def _mixed(operation: str, last: str, operands: list[str], names: Names) -> str:
    """Return an instruction whose operands are not all of one type."""
    kind = _type(last)
    value = names.value(operands[1], kind)
    if operation == "selp":
        other, choice = names.value(operands[2], kind), names.value(operands[3], "bool")
        return names.put(operands[0], kind, f"{choice} ? {value} : {other}")
    if operation == "mul.wide" and last in WIDE:
        wide = TYPES[WIDE[last]]
        return names.put(operands[0], wide, f"({wide}){value} * ({wide}){names.value(operands[2], kind)}")
    if operation in {"shl", "shr"} and operands[2].isdecimal() and int(operands[2]) < int(last[1:]):
        return names.put(operands[0], kind, f"{value} {'<<' if operation == 'shl' else '>>'} {operands[2]}")
    raise UnknownInstructionError(f"unknown instruction {operation}.{last} {operands}")


def _computation(operation: str, last: str, operands: list[str], names: Names) -> str:
    """Return an instruction whose operands are all of one type."""
    if operation == "mov" or operation.startswith("cvta"):
        return names.put(operands[0], _type(last), names.value(operands[1], _type(last)))
    known = {"f32": FLOATS, "pred": TRUTHS}.get(last, WHOLE)
    formula = known.get(operation)
    if formula is None or len(set(re.findall(r"\{\d\}", formula))) != len(operands) - 1:
        raise UnknownInstructionError(f"unknown instruction {operation}.{last} of {len(operands)} operands")
    kind = _type(last.replace("s", "u") if known is WHOLE and operation in WRAPPING else last)
    return names.put(operands[0], kind, formula.format("", *(names.value(each, kind) for each in operands[1:])))
