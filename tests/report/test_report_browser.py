"""Reports as a browser shows them: nothing fetched, names of marks, sorting."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from chromium import Browser, emulate, requests, shown
from report_documents import hostile

from splitopt.bundle.load import RunDocuments
from splitopt.report.pages.run import render_run

pytest.importorskip("selenium.webdriver", reason="selenium is a tool for developers")
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

pytestmark = [pytest.mark.needs("chromium", "chromedriver"), pytest.mark.usefixtures("plain")]


@pytest.mark.parametrize("page", ["run_page", "sweep_page"])
def test_the_file_alone_is_asked_for(
    browser: Browser, page: str, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue(page)
    browser.get(url)
    assert [url] == [asked for asked in requests(browser) if not asked.startswith("data:")]
    untitled = "return [...document.querySelectorAll('svg')].filter(s => !s.querySelector('title'))"
    assert browser.execute_script(untitled) == []


def test_every_buffer_is_a_rectangle(browser: Browser, run: RunDocuments, run_page: str) -> None:
    browser.get(run_page)
    for arena, ident in (
        (run.memory.unsplit, "map-unsplit"),
        *((arena, f"map-{arena.index:02d}") for arena in run.memory.segments),
    ):
        css = f"svg[aria-labelledby={ident}-t] .marks:is(.tensor, .scratch, .lines) > rect"
        drawn = browser.find_elements(By.CSS_SELECTOR, css)
        assert len(drawn) == sum(buffer.size > 0 for buffer in arena.buffers)
    ops = browser.find_elements(By.CSS_SELECTOR, "svg[aria-labelledby=dag-t] .marks.op > rect")
    assert len(ops) == len(run.graph.ops)


def first_mark(driver: Browser, ident: str = "map-00", kind: str = "tensor") -> Any:
    css = f"svg[aria-labelledby={ident}-t] .marks.{kind} > rect"
    mark = driver.find_element(By.CSS_SELECTOR, css)
    driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", mark)
    driver.execute_async_script("setTimeout(arguments[0], 100)")  # scrolling hides names
    return mark


@pytest.mark.parametrize("kind", ["tensor", "lines"])
def test_pointing_at_a_buffer_names_it(
    kind: str, browser: Browser, run: RunDocuments, run_page: str
) -> None:
    """A line buffer, too: the rows that are drawn over it are in nobody's way."""
    browser.get(run_page)
    mark = first_mark(browser, kind=kind)
    ActionChains(browser).move_to_element(mark).perform()
    first = next(b for b in run.memory.segments[0].buffers if b.kind == kind and b.size)
    assert first.name in shown(browser)
    assert mark.find_elements(By.CSS_SELECTOR, "title") == [], "else the browser shows it, too"
    ActionChains(browser).send_keys(Keys.ESCAPE).perform()
    assert shown(browser) == ""


def test_a_tap_on_a_buffer_names_it(browser: Browser, run: RunDocuments, run_page: str) -> None:
    emulate(browser, 360, "light", touch=True)
    browser.get(run_page)
    mark = first_mark(browser, "map-unsplit")
    place = browser.execute_script(
        "const b = arguments[0].getBoundingClientRect();"
        "return [b.x + b.width / 2, b.y + b.height / 2]",
        mark,
    )
    point = {"x": place[0], "y": place[1]}
    tap = {"type": "touchStart", "touchPoints": [point]}
    browser.execute_cdp_cmd("Input.dispatchTouchEvent", tap)
    browser.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    assert run.memory.unsplit.buffers[0].name in shown(browser)


def test_arrow_keys_go_from_buffer_to_buffer(
    browser: Browser, run: RunDocuments, run_page: str
) -> None:
    browser.get(run_page)
    stop = browser.find_elements(By.CSS_SELECTOR, "svg[aria-labelledby=map-00-t] [tabindex='0']")
    assert len(stop) == 1, "one tab stop for each drawing"
    browser.execute_script("arguments[0].focus()", stop[0])
    browser.execute_async_script("setTimeout(arguments[0], 100)")  # it may have scrolled there
    names = [shown(browser)]
    for key in (Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_LEFT, Keys.END, Keys.HOME):
        ActionChains(browser).send_keys(key).perform()
        names.append(browser.switch_to.active_element.get_attribute("aria-label"))
    assert all(names)
    assert names[1] == names[3] != names[2]
    assert names[5] == names[0]
    buffers = [b.name for b in run.memory.segments[0].buffers if b.kind == "tensor"]
    assert any(buffers[0] in name for name in names)


def test_the_keyboard_reaches_everything_that_scrolls(browser: Browser, run_page: str) -> None:
    emulate(browser, 360, "light")
    browser.get(run_page)
    ActionChains(browser).send_keys(Keys.TAB).perform()
    skip = browser.switch_to.active_element
    assert skip.text == "Skip to the report"
    assert skip.rect["x"] >= 0, "it is seen once it has the focus"
    outline = "return getComputedStyle(document.activeElement).outlineStyle"
    assert browser.execute_script(outline) != "none"
    unreachable = (
        "return [...document.querySelectorAll('*')].filter(e => e.scrollWidth > e.clientWidth + 1"
        " && /auto|scroll/.test(getComputedStyle(e).overflowX) && e.tabIndex < 0)"
    )
    assert browser.execute_script(unreachable) == []


def column(driver: Browser, name: str) -> list[str]:
    return driver.execute_script(
        "const t = document.querySelector('table.sortable');"
        "const at = [...t.tHead.rows[0].cells].findIndex(c => c.textContent === arguments[0]);"
        "return [...t.tBodies[0].rows].map(r => r.cells[at].textContent)",
        name,
    )


def test_a_table_is_sorted_by_keyboard(browser: Browser, sweep_page: str) -> None:
    browser.get(sweep_page)
    before = column(browser, "peak RAM")
    button = browser.find_element(
        By.XPATH, "//table[@class='sortable']//th[button[text()='peak RAM']]/button"
    )
    button.send_keys(Keys.ENTER)
    up = column(browser, "peak RAM")
    numbers = [int(cell.replace(",", "")) for cell in up if cell]
    assert numbers == sorted(numbers) != [int(c.replace(",", "")) for c in before if c]
    assert up[len(numbers) :] == [""] * (len(up) - len(numbers)), "rows without a figure are last"
    heading = button.find_element(By.XPATH, "..")
    assert heading.get_attribute("aria-sort") == "ascending"
    button.send_keys(Keys.SPACE)
    down = column(browser, "peak RAM")
    assert [int(cell.replace(",", "")) for cell in down if cell] == numbers[::-1]
    assert down[len(numbers) :] == up[len(numbers) :]
    assert heading.get_attribute("aria-sort") == "descending"


def test_a_marker_leads_to_its_plan(browser: Browser, sweep_page: str) -> None:
    browser.get(sweep_page)
    marker = browser.find_element(By.CSS_SELECTOR, "svg .points a")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", marker)
    name = marker.get_dom_attribute("href")
    browser.execute_script("arguments[0].focus()", marker)
    assert f"point {name.removeprefix('#p-')}" in shown(browser)
    ActionChains(browser).send_keys(Keys.ENTER).perform()
    plan = browser.find_element(By.ID, name.removeprefix("#"))
    assert plan.is_displayed()
    assert plan.find_elements(By.CSS_SELECTOR, "table tbody tr")


def test_a_budget_points_at_the_cheapest_plan_within_it(browser: Browser, sweep_page: str) -> None:
    """And a part of a chart that is dragged over is enlarged."""
    browser.get(sweep_page)
    chart = "document.querySelector('svg[data-frame]')"
    points = browser.execute_script(
        f"return [...{chart}.querySelectorAll('a[data-x]')]"
        ".map(a => [Number(a.dataset.x), Number(a.dataset.y), a.getAttribute('href')])"
    )
    most = sorted(points)[len(points) // 2][0]
    box = browser.find_element(By.CSS_SELECTOR, ".controls input[type=number]")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", box)
    box.send_keys(f"{most / 1024}")
    _, _, cheapest = min((added, peak, link) for peak, added, link in points if peak <= most)
    link = browser.find_element(By.CSS_SELECTOR, ".controls output a")
    assert link.get_dom_attribute("href") == cheapest
    beyond = f"return {chart}.querySelectorAll('a.beyond').length"
    assert browser.execute_script(beyond) == sum(peak > most for peak, _, _ in points)
    svg = browser.find_element(By.CSS_SELECTOR, "svg[data-frame]")
    seen = f"return [...{chart}.querySelectorAll('a[data-x]')].filter(a => !a.style.display).length"
    assert browser.execute_script(seen) == len(points)
    empty = browser.execute_script(f"return {chart}.dataset.frame").split()
    right, top = float(empty[1]), float(empty[2])
    width, height = svg.size["width"], svg.size["height"]
    start = ActionChains(browser).move_to_element_with_offset(
        svg, right - 4 - width / 2, top + 3 - height / 2
    )
    start.click_and_hold().move_by_offset(-150, 150).release().perform()
    assert browser.execute_script(seen) < len(points)
    whole = browser.find_element(By.XPATH, "//button[.='Whole chart']")
    whole.click()
    assert browser.execute_script(seen) == len(points)
    assert not whole.is_displayed()


def test_a_chart_is_enlarged_and_moved_by_buttons(browser: Browser, sweep_page: str) -> None:
    """Which a finger and the keyboard reach."""
    emulate(browser, 390, "light", touch=True)
    browser.get(sweep_page)
    axis = (
        "return [...document.querySelectorAll('svg[data-frame] .axis text')]"
        ".map(t => t.textContent).join(' ')"
    )
    names = (
        "return [...document.querySelector('.controls').querySelectorAll('button')]"
        ".filter(b => !b.hidden).length"
    )
    seen = [browser.execute_script(axis)]
    assert browser.execute_script(names) == 1
    for label in ("Enlarge", "Move right", "Move left", "Move up", "Move down", "Show more"):
        button = browser.find_element(By.CSS_SELECTOR, f".controls button[aria-label^='{label}']")
        browser.execute_script("arguments[0].focus()", button)
        ActionChains(browser).send_keys(Keys.ENTER).perform()
        seen.append(browser.execute_script(axis))
    whole, near, right, left, up, down, again = seen
    assert near == left == down
    assert len({whole, near, right, up}) == 4
    assert again == whole
    assert browser.execute_script(names) == 1


def test_untrusted_names_run_no_script(browser: Browser, run: RunDocuments, tmp_path: Path) -> None:
    text = "<script>window.hacked=1</script><img src=//x.invalid/y onerror=window.hacked=1>"
    parts = ("plan", "memory", "graph", "verify", "manifest", "timing", "diagnosis")
    evil = RunDocuments(*(hostile(getattr(run, part), text) for part in parts))
    path = tmp_path / "evil.html"
    path.write_text(render_run(evil), "utf-8")
    browser.get(path.as_uri())
    ActionChains(browser).move_to_element(first_mark(browser)).perform()
    assert "<script>" in shown(browser)
    assert browser.execute_script("return window.hacked") is None
