"""The problems that can be evolved, for people and for programs."""

from __future__ import annotations

import dataclasses
from typing import Any

from evo.tasks.loader import ENTRIES


def describe_json() -> dict[str, Any]:
    """Return every task with its backends and options."""
    return {
        name: {
            "summary": entry.summary,
            "backends": ["auto", *entry.backends],
            "options": {field.name: field.default for field in dataclasses.fields(entry.options_class())},
        }
        for name, entry in ENTRIES.items()
    }


def describe() -> str:
    """Return the same as text."""
    lines = []
    for name, task in describe_json().items():
        lines.append(f"{name:<12}{task['summary']}")
        options = "  ".join(f"-o {option}={default}" for option, default in task["options"].items())
        lines.append(f"{'':<12}{options}  --backend {'|'.join(task['backends'])}")
    return "\n".join(lines)
