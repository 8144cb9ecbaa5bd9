"""A browser that shows reports: its fixtures, and what tests ask it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from limits import seconds
from report_documents import kept_bundle, run_documents, synthetic_sweep

from splitopt.bundle.load import RunDocuments
from splitopt.report.pages.run import render_run
from splitopt.report.pages.sweep import render_sweep

CHROMIUM, CHROMEDRIVER = shutil.which("chromium"), shutil.which("chromedriver")

FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-dev-shm-usage "
    "--disable-background-networking --disable-component-update --disable-sync "
    "--force-prefers-reduced-motion"
).split()
Browser = Any


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    webdriver = pytest.importorskip(
        "selenium.webdriver", reason="selenium is a tool for developers"
    )
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    profile = tmp_path_factory.mktemp("profile")
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(CHROMEDRIVER))
    driver.set_page_load_timeout(seconds(30))
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunDocuments:
    return run_documents(kept_bundle("mbv2_digits", tmp_path_factory))


@pytest.fixture(scope="module")
def run_page(run: RunDocuments, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("page") / "run.html"
    path.write_text(render_run(run), "utf-8")
    return path.as_uri()


@pytest.fixture(scope="module")
def sweep_page(run: RunDocuments, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("page") / "sweep.html"
    path.write_text(render_sweep(synthetic_sweep(run, 60)), "utf-8")
    return path.as_uri()


@pytest.fixture
def plain(request: pytest.FixtureRequest) -> Iterator[None]:
    """A large, light screen before every test; afterwards, no complaint and no request."""
    driver = request.getfixturevalue("browser")
    driver.get("about:blank")
    driver.get_log("browser")
    driver.get_log("performance")
    emulate(driver, 1280, "light")
    yield
    assert [entry["message"] for entry in driver.get_log("browser")] == []
    assert [url for url in requests(driver) if not url.startswith(("file://", "data:"))] == []


def emulate(driver: Browser, width: int, theme: str, *, touch: bool = False) -> None:
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": touch}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    features = [{"name": "prefers-color-scheme", "value": theme}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": touch})


def requests(driver: Browser) -> list[str]:
    messages = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    return [
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    ]


def shown(driver: Browser) -> str:
    """What the tooltip says; empty while it is hidden."""
    return driver.execute_script(
        "const tip = document.getElementById('tip'); return tip.hidden ? '' : tip.textContent"
    )
