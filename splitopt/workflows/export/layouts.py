"""The files of an export in the layout that a build system wants: same C++, other folders."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import PurePosixPath
from typing import Literal
from xml.sax.saxutils import quoteattr

from splitopt.workflows.export.sources import Sources, filled

Layout = Literal["cmake", "zephyr", "cmsis-pack", "arduino"]
_README, _CMAKE = "README.md", "CMakeLists.txt"
_SRC, _CHECK = "src", "check"


def _cmake(sources: Sources) -> dict[str, str]:
    """A flat folder and a CMakeLists.txt."""
    check = {**sources.check, **sources.main}
    words = _with_lists(sources, check)
    return {
        **sources.library,
        **check,
        _CMAKE: filled("cmake/CMakeLists.txt", words),
        _README: _readme("cmake", words),
    }


def _zephyr(sources: Sources) -> dict[str, str]:
    """A module, and an application that checks it."""
    words = _with_lists(sources, sources.check, f"../{_SRC}/", f"../{_CHECK}/")
    words["OPTION"] = sources.namespace.upper()
    made = {name: filled(f"zephyr/{name}.in", words) for name in ("module.yml", "Kconfig", _CMAKE)}
    sample = {
        f"{_CHECK}/app/{name}": filled(f"zephyr/sample/{name}", words)
        for name in (_CMAKE, "prj.conf", "sample.yaml", "main.cc")
    }
    return {
        **_in(_SRC, sources.library),
        **_in(_CHECK, sources.check),
        **_in("zephyr", made),
        **sample,
        _README: _readme("zephyr", words),
    }


def _cmsis_pack(sources: Sources) -> dict[str, str]:
    """A pack's description, and a layer for a csolution that takes the folder as it is."""
    check = {**sources.check, **sources.main}
    words = dict(sources.words)
    parts = (
        ("RUNNER", _SRC, sources.runner),
        ("MODEL", _SRC, sources.model),
        ("CHECK", _CHECK, check),
    )
    for key, folder, texts in parts:
        words[f"PACK_{key}_FILES"] = _pack_files(folder, texts)
        words[f"LAYER_{key}_FILES"] = "\n".join(
            f"        - file: {folder}/{name}" for name in _compiled(texts)
        )
    name = sources.namespace
    return {
        **_in(_SRC, sources.library),
        **_in(_CHECK, check),
        f"splitopt.{name}.pdsc": filled("cmsis_pack/pack.pdsc", words),
        "splitopt_runner.clayer.yml": filled("cmsis_pack/runner.clayer.yml", words),
        f"{name}.clayer.yml": filled("cmsis_pack/model.clayer.yml", words),
        f"{name}_check.clayer.yml": filled("cmsis_pack/check.clayer.yml", words),
        _README: _readme("cmsis_pack", words),
    }


def _arduino(sources: Sources) -> dict[str, str]:
    """A library's folder; its check is an example. Arduino compiles .cpp everywhere."""
    name = f"splitopt_{sources.namespace}"[:57]  # at most 63 characters with the example's
    words = {**sources.words, "ARDUINO_NAME": name}
    example = f"examples/{name}_check"
    return {
        **_in(_SRC, {_cpp(file): text for file, text in sources.library.items()}),
        **_in(example, {_cpp(file): text for file, text in sources.check.items()}),
        f"{example}/{name}_check.ino": filled("arduino/check.ino", words),
        "library.properties": filled("arduino/library.properties", words),
        "keywords.txt": filled("arduino/keywords.txt", words),
        _README: _readme("arduino", words),
    }


LAYOUTS: Mapping[Layout, Callable[[Sources], dict[str, str]]] = {
    "cmake": _cmake,
    "zephyr": _zephyr,
    "cmsis-pack": _cmsis_pack,
    "arduino": _arduino,
}


def _readme(layout: str, words: Mapping[str, str]) -> str:
    suffix = ".cpp" if layout == "arduino" else ".cc"
    words = {**words, "SUFFIX": suffix}
    return filled(_README, {**words, "USE": filled(f"{layout}/use.md", words).rstrip()})


def _with_lists(
    sources: Sources, check: Mapping[str, str], own_folder: str = "", check_folder: str = ""
) -> dict[str, str]:
    """The words, with lists of what is compiled, as seen from the build file."""
    runner = (own_folder + name for name in _compiled(sources.runner))
    model = (own_folder + name for name in _compiled(sources.model))
    checked = (check_folder + name for name in _compiled(check))
    lists = {"RUNNER_SOURCES": runner, "SOURCES": model, "CHECK_SOURCES": checked}
    return {**sources.words, **{key: "\n    ".join(names) for key, names in lists.items()}}


def _in(folder: str, texts: Mapping[str, str]) -> dict[str, str]:
    return {f"{folder}/{name}": text for name, text in texts.items()}


def _compiled(names: Iterable[str]) -> list[str]:
    return [name for name in names if name.endswith(".cc")]


def _cpp(name: str) -> str:
    return f"{name.removesuffix('.cc')}.cpp" if name.endswith(".cc") else name


def _pack_files(folder: str, texts: Mapping[str, str]) -> str:
    """<file> elements, their paths relative to the .pdsc, the folder of headers first."""
    kinds = {".h": "header", ".cc": "sourceCpp"}
    rows = [f'<file category="include" name="{folder}/"/>']
    for name in texts:
        kind = kinds[PurePosixPath(name).suffix]
        rows.append(f'<file category="{kind}" name={quoteattr(f"{folder}/{name}")}/>')
    return "\n".join(f"        {row}" for row in rows)
