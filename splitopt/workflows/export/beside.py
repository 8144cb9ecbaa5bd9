"""What an exported plan takes besides region, stores and files: objects in RAM, code in flash.

Measured: arm-none-eabi-g++ 12.2 for the Cortex-M55, TFLM 90b983c2.
"""

from __future__ import annotations

from splitopt.base.units import format_bytes, plural

RUNNER_BYTES, STORE_BYTES = 256, 12
"""sizeof(splitopt::Runner), sizeof(splitopt::MemoryStore)."""
_RESOLVER_BYTES, _ENTRY_BYTES = 12, 36
CODE_BYTES = {"-O2": 14_377, "-Os": 11_160}
"""Text and read-only data of the runner's objects, with assertions. --gc-sections drops functions
that no plan of the firmware calls; -DNDEBUG leaves 13,229 and 10,104."""


def resolver_bytes(ops: int) -> int:
    """sizeof(tflite::MicroMutableOpResolver<ops>)."""
    return _RESOLVER_BYTES + _ENTRY_BYTES * max(1, ops)


def beside_text(ops: int, stores: int, buffer_bytes: int) -> str:
    """A line of Markdown. `ops`: types of op; `buffer_bytes`: of the example's own buffers for
    inputs and outputs, each rounded up to 16."""
    resolver = f"`Resolver` {format_bytes(resolver_bytes(ops))} ({plural(ops, 'op')})"
    parts = [f"`Runner` {format_bytes(RUNNER_BYTES)}", resolver]
    if stores:
        parts.append(f"`MemoryStore` {format_bytes(STORE_BYTES)} each")
    parts.append(f"buffers of the example {format_bytes(buffer_bytes)}")
    return ", ".join(parts)


def code_text() -> str:
    """A line of Markdown."""
    sizes = ", ".join(f"{format_bytes(size)} at `{flag}`" for flag, size in CODE_BYTES.items())
    return (
        f"- code of the runner, once for all models: at most {sizes}; TFLM and its kernels besides"
    )
