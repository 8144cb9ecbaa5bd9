"""Simulated Cortex-M55s: QEMU's mps3-an547, whose instructions are counted exactly, and Arm's FVP.

Neither counts CPU cycles. Both run the same program, which prints one JSON object per line.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from splitopt.base.errors import ToolError
from splitopt.base.owned_folder import scratch_folder
from splitopt.config.own import own_config
from splitopt.config.target import TargetSpec
from splitopt.runtime.bound_process import bound_command
from splitopt.runtime.worker_process import run_in_group

JOB_ADDRESS = 0x61000000
SRAM_BYTES = 2 << 20
QEMU = "qemu-system-arm"
FVP = "FVP_Corstone_SSE-300_Ethos-U55"
_MOST_OUTPUT_BYTES = 64 << 20
_MEMORY_BYTES = 8 << 30

Event = Mapping[str, Any]


class Simulator(Protocol):
    """How to start a simulator, and what its counter means: `unit` is `insn` or `ticks`."""

    @property
    def name(self) -> str: ...

    @property
    def unit(self) -> str: ...

    @property
    def caveat(self) -> str: ...

    def command(self, program: Path, job: Path) -> list[str]:
        """Raises ToolError where the simulator is absent."""

    def amount(self, ticks: int) -> float:
        """Ticks of the 32 MHz counter in `unit`."""


@dataclass(frozen=True)
class Qemu:
    """`-icount shift=5`: an instruction takes 32 ns, a tick of the counter 31.25 ns."""

    executable: str = QEMU
    arguments: tuple[str, ...] = ()
    name: str = "qemu mps3-an547"
    unit: str = "insn"
    caveat: str = (
        "QEMU counts executed instructions, not CPU cycles: Helium beats, memory wait states and "
        "dual issue are not modelled."
    )

    def command(self, program: Path, job: Path) -> list[str]:
        return [
            _found(self.executable, "apt-get install qemu-system-arm"),
            *("-M", "mps3-an547", "-nographic", "-monitor", "none", "-serial", "none"),
            *("-chardev", "stdio,id=out"),
            *("-semihosting-config", "enable=on,target=native,chardev=out"),
            *("-icount", "shift=5,sleep=off"),
            *self.arguments,
            *("-kernel", str(program)),
            *("-device", f"loader,file={job},addr={JOB_ADDRESS:#x},force-raw=on"),
        ]

    def amount(self, ticks: int) -> float:
        return ticks * 31.25 / 32


@dataclass(frozen=True)
class Fvp:
    """Arm's Corstone-300 FVP, under Arm's own licence. Its ticks are simulated time."""

    executable: str = FVP
    arguments: tuple[str, ...] = ()
    name: str = "fvp corstone-300"
    unit: str = "ticks"
    caveat: str = (
        "The FVP counts ticks of a 32 MHz counter in simulated time, not CPU cycles: its core is "
        "not cycle-accurate."
    )

    def command(self, program: Path, job: Path) -> list[str]:
        advice = (
            "get the Corstone-300 FVP from Arm and name it (executable: of a target file), or use "
            "target: qemu"
        )
        return [
            _found(self.executable, advice),
            *("-C", "mps3_board.visualisation.disable-visualisation=1"),
            *("-C", "mps3_board.telnetterminal0.start_telnet=0"),
            *("-C", "mps3_board.uart0.out_file=-"),
            *("-C", "cpu0.semihosting-enable=1"),
            *self.arguments,
            *("-a", str(program), "--data", f"{job}@{JOB_ADDRESS:#x}"),
        ]

    def amount(self, ticks: int) -> float:
        return float(ticks)


def simulator_of(spec: TargetSpec) -> Simulator:
    """The simulator that a target names, as it is configured there."""
    tools = own_config().tools
    if spec.simulator == "qemu":
        return Qemu(spec.executable or tools.qemu or QEMU, spec.arguments)
    return Fvp(spec.executable or tools.fvp or FVP, spec.arguments)


def simulate(
    simulator: Simulator, program: Path, blob: bytes, timeout_s: float
) -> tuple[Event, ...]:
    """Runs the program on a job and returns what it printed; the simulator has ended on return.

    Raises ToolError: it is absent, too slow or crashed, or the target failed.
    """
    with scratch_folder("simulator") as folder:
        job = folder / "job.bin"
        job.write_bytes(blob)
        with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
            try:
                command = bound_command(simulator.command(program, job), _MEMORY_BYTES)
                code = run_in_group(command, folder, os.environ, out, err, timeout_s)
            except subprocess.TimeoutExpired:
                raise ToolError(
                    f"{simulator.name}: no end after {timeout_s:g} s; the run was stopped"
                ) from None
            except OSError as error:
                raise ToolError(f"{simulator.name}: cannot be started ({error})") from error
        events = tuple(read_events(_tail(folder / "out").splitlines()))
        _check(simulator, events, code, _tail(folder / "err"))
        return events


def read_events(lines: Sequence[str]) -> Iterator[Event]:
    """The JSON objects with an `event` among the lines; other output of a simulator is skipped."""
    for line in lines:
        if not line.startswith('{"'):
            continue
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict) and isinstance(found.get("event"), str):
            yield found


def _check(simulator: Simulator, events: Sequence[Event], code: int, stderr: str) -> None:
    for event in events:
        if event["event"] == "fault":
            raise ToolError(
                f"{simulator.name}: the target took exception {event.get('exception')} "
                f"(CFSR {event.get('cfsr', 0):#x}); a library of another ABI, perhaps"
            )
        if event["event"] == "refused":
            raise ToolError(f"{simulator.name}: the program refused the job: {event.get('reason')}")
    if not events or events[-1]["event"] != "bye":
        said = " ".join(stderr.split())[-240:] or "no reason given"
        raise ToolError(f"{simulator.name}: ended without an answer (exit code {code}): {said}")


def _found(executable: str, advice: str) -> str:
    found = shutil.which(executable)
    if found is None:
        raise ToolError(f"{executable} is absent: {advice}")
    return found


def _tail(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - _MOST_OUTPUT_BYTES))
        return file.read().decode("utf-8", "replace")
