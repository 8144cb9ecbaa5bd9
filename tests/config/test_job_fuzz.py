"""Any data as a job file: a job, or a UsageError; never another exception."""

from __future__ import annotations

import contextlib
import string
from pathlib import Path
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from samples import examples

from splitopt.base.errors import UsageError
from splitopt.config.job import read_job

KEYS = st.sampled_from(
    ["model", "board", "budget_bytes", "objective", "pieces", "cut", "solve", "verify", "target",
     "out", "path", "name", "sram_bytes", "allow", "forbid", "max", "seed", "inputs", "key", "str"]
)  # fmt: skip
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**25), 10**25),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["corstone300_64k", "a.yaml", "host", "64k", "..", "/"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(KEYS | st.text(max_size=5), inner, max_size=4),
    ),
    max_leaves=12,
)
HASTY = settings(
    examples(150), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def read_or_refuse(path: Path) -> None:
    with contextlib.suppress(UsageError):
        assert read_job(path).budget_bytes > 0


@HASTY
@given(st.dictionaries(KEYS, VALUES, max_size=6))
def test_any_plain_data_is_a_job_or_a_usage_error(tmp_path: Path, data: dict[str, Any]) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(yaml.safe_dump({"model": {"path": "m"}, "board": "corstone300_64k", **data}))
    read_or_refuse(path)


@HASTY
@given(
    st.text(alphabet=string.printable + "!&*<>%@`\0\ud800\ufeff\x85é", max_size=60)
    | st.lists(
        st.sampled_from(
            ["model: ", "{path: a}", "board: ", "corstone300_64k", "\n", "? ", "!!", "int ",
             "bool ", "timestamp ", "binary ", "set ", "map ", "&a ", "*a ", "<<: ", "- ", "[", "]",
             "'", '"', "\\ud800", "0x", "1:2", "=", "2024-13-01", ".nan", "~", "|", "---",
             "%YAML 1.1\n"]
        ),
        max_size=14,
    ).map("".join)
)  # fmt: skip
def test_any_text_is_a_job_or_a_usage_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    read_or_refuse(path)
