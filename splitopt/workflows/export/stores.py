"""What pieces that are built once keep, and where, as C++ and in the README of an export."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from splitopt.base.units import format_bytes
from splitopt.bundle.runner_links import kept_tails, used_memories
from splitopt.bundle.schema.plan import Memory, Plan
from splitopt.runtime.kept_tails import StorePlan


def constant_of(memory: Memory) -> str:
    """`second-sram` → `kStoreSecondSramBytes`."""
    words = re.findall(r"[A-Za-z0-9]+", memory.name)
    return f"kStore{''.join(word[:1].upper() + word[1:] for word in words)}Bytes"


def size_lines(memories: Sequence[Memory], stores: Sequence[StorePlan]) -> str:
    """Declares how large each store is."""
    return "".join(
        f"inline constexpr std::size_t {constant_of(memory)} = {store.size_bytes};\n"
        for memory, store in zip(memories, stores, strict=True)
    )


def check_text(namespace: str, memories: Sequence[Memory]) -> str:
    """Plain memory for the check; none where the plan needs none."""
    if not memories:
        return "splitopt::Store* const* const stores = nullptr;"
    lines = []
    for k, memory in enumerate(memories):
        lines.append(f"alignas(16) std::uint8_t memory{k}[{namespace}::{constant_of(memory)}];")
        lines.append(f"splitopt::MemoryStore store{k}(memory{k}, sizeof(memory{k}));")
    given = ", ".join(f"&store{k}" for k in range(len(memories)))
    return "\n".join([*lines, f"splitopt::Store* const stores[] = {{{given}}};"])


def declared_text(namespace: str, memories: Sequence[Memory]) -> str:
    """How the README's example declares its stores; none where the plan needs none."""
    if not memories:
        return ""
    lines = []
    for k, memory in enumerate(memories):
        if memory.written == "start_up":
            lines.append(f"static YourStore store{k};  // of {memory.name}, see below")
            continue
        size = f"{namespace}::{constant_of(memory)}"
        lines.append(f"alignas(16) static std::uint8_t memory{k}[{size}];  // in {memory.name}")
        lines.append(f"static splitopt::MemoryStore store{k}(memory{k}, sizeof(memory{k}));")
    given = ", ".join(f"&store{k}" for k in range(len(memories)))
    return "\n".join([*lines, f"static splitopt::Store* stores[] = {{{given}}};", ""])


def prepare_text(plan: Plan) -> str:
    """How the README's example prepares."""
    does = "checks the plan"
    if any(kept_tails(plan)):
        does = "builds the pieces that stay or are restored (see below)"
    given = "stores" if used_memories(plan) else ""
    return f"// Once, at start-up: {does}.\nsplitopt::Result ready = runner.Prepare({given});"


def kept_text(namespace: str, plan: Plan) -> str:
    """Markdown; none where each piece is built at each inference and all lies in the region."""
    stores = _stores(namespace, plan)
    if not any(kept_tails(plan)):
        return stores
    ways = {
        "resident": "built where they stay; nothing of them is done again",
        "restore": "saved then, and copied back at each inference",
    }
    named = [
        (way, [str(own.index) for own in plan.segments if own.switching == way]) for way in ways
    ]
    lines = [f"- {', '.join(pieces)}: {ways[way]}" for way, pieces in named if pieces]
    lines += ["", *_in_region(plan)]
    return "\n".join(["", "## Pieces that `Prepare` builds", "", *lines]) + stores


def _in_region(plan: Plan) -> Iterator[str]:
    own = [s for s in plan.segments if s.switching == "resident" and s.kept_in is None]
    if own:
        yield (
            f"The region's bytes from {min(s.kept_offset for s in own):,} on are those that stay "
            "in it: nobody else writes to\nthem, between `Run`s either."
        )
    yield "`Prepare` writes over the region: call it before inputs are put there.\n"


def _stores(namespace: str, plan: Plan) -> str:
    memories = used_memories(plan)
    if not memories:
        return ""
    listed = "\n".join(_listed(memory, plan) for memory in memories)
    order = ", ".join(memory.name for memory in memories)
    kept = any(memory.written == "start_up" for memory in memories)
    return f"""
## Stores

These lie outside the region, each on 16 bytes, and nobody else writes to them:

{listed}

`stores` is one `splitopt::Store*` for each, in this order: {order}.
{_KEPT if kept else ""}"""


_KEPT = """
Memory that is written through a driver and keeps its content over a reset is a class of yours:

```cpp
struct YourStore : splitopt::Store {
  bool Write(std::uint32_t offset, const void* data, std::uint32_t bytes) override {
    return Program(kStart + offset, data, bytes);  // multiples of 16
  }
  const std::uint8_t* Read(std::uint32_t offset, std::uint32_t) const override {
    return kStart + offset;
  }
};
```

At the first power-on the store is blank: it has no header of the runner (`kStoreEmpty`, which
`Prepare` does not return). `Prepare` then builds the pieces, writes their images and reads them
back, without a further argument.
At the next start-up its images are used as they are, if plan, models, region and the addresses of
code are those that they were made with. Else `Prepare` says which differs
(`kStoredForOtherPlan`, `...Model`, `...Region`, `...Code`); `Prepare(stores, true)` makes them
anew.
"""


def _listed(memory: Memory, plan: Plan) -> str:
    when = "may be written at start-up only" if memory.written == "start_up" else "plain memory"
    made = {tensor for own in plan.segments for tensor in own.outputs}
    there = {entry.tensor for entry in plan.layout.boundary if entry.memory == memory.name}
    is_kept = any(memory.name in (own.kept_in, own.stored_in) for own in plan.segments)
    held = {
        "what pieces need again": is_kept,
        "boundary tensors": bool(there & made),
        "inputs of the model": bool(there - made),
    }
    text = " and ".join(what for what, is_held in held.items() if is_held)
    return f"- {memory.name}: {format_bytes(memory.used_bytes)}, {when}, for {text}"
