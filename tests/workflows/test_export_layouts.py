"""Layouts of an export: the same C++ in each, and build files that name just what is there."""

from __future__ import annotations

import json
import re
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import yaml
from board_logs import TINY_LOG
from host_builds import STAND_IN, finished_process, write_resolver_stand_in

from splitopt.runtime.program import COMPILER
from splitopt.workflows.export.exported import export_bundle
from splitopt.workflows.export.layouts import LAYOUTS

GOLDEN = TINY_LOG.parents[1] / "bundle_v1"
WARNINGS = ("-Wall", "-Wextra", "-Werror", "-std=c++17", "-fno-exceptions", "-fno-rtti")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for each layout."""
    home = tmp_path_factory.mktemp("exported")
    for layout in LAYOUTS:
        written = export_bundle(GOLDEN, home / layout, layout=layout).files
        there = {path for path in (home / layout).rglob("*") if path.is_file()}
        assert set(written) == there
    return home


def cpp(folder: Path) -> dict[str, str]:
    """Name → text of all C++ but the programs' own main; .cpp counts as .cc."""
    found = {
        path.name.replace(".cpp", ".cc"): path.read_text("utf-8")
        for path in folder.rglob("*")
        if path.suffix in (".h", ".cc", ".cpp")
    }
    return {name: text for name, text in found.items() if name not in ("main.cc", "check_main.cc")}


def test_the_sources_are_the_same_in_each_layout(exported: Path) -> None:
    flat = cpp(exported / "cmake")
    assert {"check.cc", "stopwatch.cc", "piece_03.cc", "tiny_model.h"} <= set(flat)
    for layout in LAYOUTS:
        assert cpp(exported / layout) == flat, layout
        for path in (exported / layout).rglob("*"):
            if path.is_file():
                assert not re.search(r"@[A-Z_]+@", path.read_text("utf-8")), path


def test_the_readme_says_what_was_proved(exported: Path) -> None:
    verify = json.loads((GOLDEN / "verify.json").read_text())
    plan = json.loads((GOLDEN / "plan.json").read_text())
    for layout in LAYOUTS:
        readme = (exported / layout / "README.md").read_text("utf-8")
        proved = readme[readme.index("## Proved") : readme.index("## Files")]
        for check in verify["checks"]:
            assert f"| {check['name']} | {check['status']} | {check['inputs']} |" in proved
        for said in (
            "on a PC",
            plan["status"],
            GOLDEN.name,
            plan["model"]["sha256"],
            "90b983c2",
            "-DKERNELS_OPTIMIZED_FOR_SPEED",
        ):
            assert said in proved
        assert "NOT PROVED" not in readme
        assert "beside the region: `Runner` 256 B, `Resolver` " in readme
        assert ("`piece_NN.cpp`" if layout == "arduino" else "`piece_NN.cc`") in readme
        assert "C++17" in readme.split("## Build")[1].split("## Call")[0] or layout in (
            "cmake",
            "zephyr",
        )
        assert "\n\n\n" not in readme
        assert "int8_t input0[4];" in readme


@pytest.mark.parametrize(("layout", "is_said"), [("nhwc", True), ("same", False)])
def test_the_readme_says_where_channels_moved(layout: str, is_said: bool, tmp_path: Path) -> None:
    """A model from ONNX; its names tell in which layout each tensor was found."""
    bundle = Path(shutil.copytree(GOLDEN, tmp_path / "bundle"))
    tensor = json.loads((bundle / "plan.json").read_text())["segments"][0]["inputs"][0]
    match = {"onnx_tensor": "image", "tflite_tensor": tensor, "sqnr_db": 40.0, "layout": layout}
    names = {"matches": [match], "ops": [], "unmatched_nodes": [], "unmatched_ops": []}
    (bundle / "correspondence.json").write_text(json.dumps(names))
    export_bundle(bundle, tmp_path / "net")
    said = "input 0: NHWC, channels last, where the ONNX model has NCHW."
    readme = (tmp_path / "net" / "README.md").read_text().splitlines()
    assert (said in readme) == is_said
    assert any(line.startswith("- input 0 (ONNX `image`): [") for line in readme)
    [header] = (tmp_path / "net").rglob("*_io.h")
    assert "// Input 0 image: INT8" in header.read_text()


def test_cmake_names_every_source(exported: Path) -> None:
    folder = exported / "cmake"
    text = (folder / "CMakeLists.txt").read_text("utf-8")
    named = re.findall(r"^ +(\S+\.cc)$", text, re.MULTILINE)
    assert sorted(named) == sorted(path.name for path in folder.glob("*.cc"))


@pytest.mark.needs("cmake")
@pytest.mark.parametrize("check", [False, True])
def test_zephyr_compiles_what_is_there(check: bool, exported: Path, tmp_path: Path) -> None:
    """CMake reads the module, with stand-ins for Zephyr's functions."""
    module, heard = exported / "zephyr", tmp_path / "heard"
    functions = (
        "include_directories", "library_named", "library_sources", "library_compile_definitions",
        "library_compile_options",
    )  # fmt: skip
    script = tmp_path / "read.cmake"
    script.write_text(
        "".join(
            f'function(zephyr_{name})\n  file(APPEND "{heard}" "{name};${{ARGN}}\\n")\n'
            "endfunction()\n"
            for name in functions
        )
        + "set(CONFIG_TINY_MODEL y)\n"
        + f"set(CONFIG_TINY_MODEL_CHECK {'y' if check else ''})\n"
        + f'include("{module / "zephyr" / "CMakeLists.txt"}")\n'
    )
    done = finished_process(["cmake", "-P", str(script)])
    assert done.returncode == 0, done.stderr
    rows = [line.split(";") for line in heard.read_text().splitlines()]
    sources = {name for kind, *names in rows if kind == "library_sources" for name in names}
    folders = ("src", "check") if check else ("src",)
    there = {f"../{path.relative_to(module)}" for f in folders for path in module.glob(f"{f}/*.cc")}
    assert sources == there
    own = {name for kind, *names in rows if kind == "library_named" for name in names}
    assert own == {"splitopt_runner", "splitopt_tiny_model"} | (
        {"splitopt_check"} if check else set()
    )


def test_zephyrs_module_and_options_belong_together(exported: Path) -> None:
    module = exported / "zephyr"
    found = yaml.safe_load((module / "zephyr" / "module.yml").read_text("utf-8"))
    assert found["name"] == "splitopt_tiny_model"
    assert (module / found["build"]["cmake"] / "CMakeLists.txt").is_file()
    options = set(
        re.findall(r"^config (\w+)$", (module / found["build"]["kconfig"]).read_text("utf-8"), re.M)
    )
    assert options == {"TINY_MODEL", "TINY_MODEL_ZERO_ARENA", "TINY_MODEL_CHECK"}
    used = re.findall(r"CONFIG_(\w+)", (module / "zephyr" / "CMakeLists.txt").read_text("utf-8"))
    assert set(used) == options
    for sample in found["samples"]:
        assert (module / sample / "sample.yaml").is_file()
        given = re.findall(r"CONFIG_(TINY\w+)=y", (module / sample / "prj.conf").read_text("utf-8"))
        assert set(given) == {"TINY_MODEL", "TINY_MODEL_CHECK"}
    needed = (module / "README.md").read_text("utf-8").split("```")
    for text in (*needed, (module / "check" / "app" / "prj.conf").read_text("utf-8")):
        if "CONFIG_CPP=y" in text:
            assert "CONFIG_TENSORFLOW_LITE_MICRO_CMSIS_NN_KERNELS=y" in text


def test_the_packs_description_is_whole(exported: Path) -> None:
    """Well-formed; each file is there, once; each condition that is named is defined."""
    folder = exported / "cmsis-pack"
    [description] = folder.glob("*.pdsc")
    package = ET.parse(description).getroot()
    own = package.findtext("vendor"), package.findtext("name")
    assert description.name == f"{own[0]}.{own[1]}.pdsc"
    assert [child.tag for child in package] == [
        "vendor", "name", "description", "url", "supportContact", "releases", "keywords",
        "conditions", "components",
    ]  # fmt: skip
    files = [file.get("name") or "" for file in package.iter("file")]
    assert len(files) == len(set(files)) + 1  # runner and model have src/
    there = {
        str(path.relative_to(folder)) for f in ("src", "check") for path in folder.glob(f"{f}/*")
    }
    assert set(files) == there | {"src/", "check/"}
    defined = {condition.get("id") for condition in package.iter("condition")}
    named = {component.get("condition") for component in package.iter("component")}
    assert named == defined == {"TFLM", "Runner", "Model"}
    subs = {c.get("Csub") for c in package.iter("component")}
    assert subs == {"runner", "tiny_model", "tiny_model_check"}
    assert package.findtext("url")


def test_layers_name_every_source(exported: Path) -> None:
    folder = exported / "cmsis-pack"
    layers = [
        yaml.safe_load(path.read_text("utf-8")) for path in sorted(folder.glob("*.clayer.yml"))
    ]
    files = [
        f["file"] for own in layers for group in own["layer"]["groups"] for f in group["files"]
    ]
    assert sorted(files) == sorted(str(path.relative_to(folder)) for path in folder.rglob("*.cc"))
    for own in layers:
        assert all((folder / path).is_dir() for path in own["layer"]["add-path"])


def test_arduinos_properties_keep_its_rules(exported: Path) -> None:
    """Those of the library specification, which arduino-lint has as patterns."""
    folder = exported / "arduino"
    lines = (folder / "library.properties").read_text("utf-8").splitlines()
    found = dict(line.split("=", 1) for line in lines)
    needed = "name version author maintainer sentence paragraph category url architectures".split()
    assert set(needed) <= set(found)
    assert all(found.values())
    assert re.fullmatch(r"[A-Za-z][A-Za-z0-9_.-]{0,62}", found["name"])
    assert "arduino" not in found["name"].lower()
    assert re.fullmatch(r"\d+\.\d+\.\d+", found["version"])
    assert found["category"] in ("Data Processing", "Other")
    assert (folder / "src" / found["includes"]).is_file()
    [sketch] = folder.glob("examples/*/*.ino")
    assert sketch.stem == sketch.parent.name
    assert len(sketch.stem) <= 63
    assert not list(folder.rglob("*.cc"))


ARDUINO = """
#pragma once
struct Port { void begin(long); void print(const char*); explicit operator bool() const; };
extern Port Serial;
void delay(unsigned long);
"""
ZEPHYR = {
    "kernel.h": "#pragma once\n#define K_FOREVER 0\ninline void k_sleep(int) {}\n",
    "sys/printk.h": "#pragma once\nvoid printk(const char* text, ...);\n",
}


@pytest.mark.needs("compiler")
def test_all_of_it_compiles_for_the_cortex_m55(exported: Path, tmp_path: Path) -> None:
    """Against the stand-in for TFLM; what asks for variables of TFLM's own is left out."""
    write_resolver_stand_in(tmp_path)
    (tmp_path / "Arduino.h").write_text(ARDUINO)
    for name, text in ZEPHYR.items():
        (tmp_path / "zephyr" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "zephyr" / name).write_text(text)
    flat, arduino = exported / "cmake", exported / "arduino"
    [sketch] = arduino.glob("examples/*/*.ino")
    own = ("tiny_model", "check", "check_main", "line", "stopwatch", "splitopt_runner", "piece_00")
    sources = [flat / f"{name}.cc" for name in own]
    sources.append(exported / "zephyr" / "check" / "app" / "main.cc")
    words = [COMPILER, "-mcpu=cortex-m55", "-mthumb", "-mfloat-abi=hard", "-fsyntax-only"]
    words += [*WARNINGS, f"-I{tmp_path}", f"-I{STAND_IN}", f"-I{flat}"]
    done = finished_process([*words, *map(str, sources)])
    assert done.returncode == 0, done.stderr
    library = ["-include", str(tmp_path / "Arduino.h"), "-x", "c++", f"-I{arduino / 'src'}"]
    own_only = [word for word in words if word != f"-I{flat}"]
    done = finished_process([*own_only, *library, str(sketch)])
    assert done.returncode == 0, done.stderr
