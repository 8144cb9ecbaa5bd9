"""Reports as a browser lays them out: phones, wide screens, labels, paper."""

from __future__ import annotations

import base64

import pytest
from chromium import Browser, emulate

By = pytest.importorskip(
    "selenium.webdriver.common.by", reason="selenium is a tool for developers"
).By
pytestmark = [pytest.mark.needs("chromium", "chromedriver"), pytest.mark.usefixtures("plain")]


def test_the_answer_needs_no_scrolling_on_a_phone(browser: Browser, run_page: str) -> None:
    emulate(browser, 390, "light", touch=True)
    browser.get(run_page)
    answer = "document.querySelector('#verdict .scroll')"
    assert browser.execute_script(f"return {answer}.scrollWidth <= {answer}.clientWidth")
    cell = browser.find_element(By.CSS_SELECTOR, "#verdict td[data-h='peak RAM']")
    name = "return getComputedStyle(arguments[0], '::before').content"
    assert browser.execute_script(name, cell) == '"peak RAM"'


@pytest.mark.parametrize("page", ["run_page", "sweep_page"])
def test_no_table_is_cut_off_on_a_wide_screen(
    browser: Browser, page: str, request: pytest.FixtureRequest
) -> None:
    emulate(browser, 1400, "light")
    browser.get(request.getfixturevalue(page))
    browser.execute_script("document.querySelectorAll('details').forEach(d => d.open = true)")
    clipped = (
        "return [...document.querySelectorAll('.scroll')].filter(e => e.querySelector('table')"
        " && e.scrollWidth > e.clientWidth + 1).map(e => e.getAttribute('aria-label'))"
    )
    assert browser.execute_script(clipped) == []


@pytest.mark.parametrize("page", ["run_page", "sweep_page"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_phone_scrolls_no_page_sideways(
    browser: Browser, page: str, theme: str, request: pytest.FixtureRequest
) -> None:
    emulate(browser, 360, theme, touch=True)
    browser.get(request.getfixturevalue(page))
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 360
    dark = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert dark == ("rgb(13, 17, 23)" if theme == "dark" else "rgb(255, 255, 255)")


def test_labels_do_not_cover_each_other(browser: Browser, run_page: str, sweep_page: str) -> None:
    overlaps = """
      const found = [];
      for (const svg of document.querySelectorAll('figure svg')) {
        const boxes = [...svg.querySelectorAll('text')].map(t => [t, t.getBoundingClientRect()]);
        boxes.forEach(([a, p], i) => boxes.slice(i + 1).forEach(([b, q]) => {
          if (p.left < q.right - 1 && q.left < p.right - 1 &&
              p.top < q.bottom - 4 && q.top < p.bottom - 4)
            found.push(svg.getAttribute('aria-labelledby') + ': ' + a.textContent + ' / '
                       + b.textContent);
        }));
      }
      return found;
    """
    for page in (run_page, sweep_page):
        browser.get(page)
        browser.execute_script("document.querySelectorAll('details').forEach(d => d.open = true)")
        assert browser.execute_script(overlaps) == []


def test_a_report_prints(browser: Browser, run_page: str) -> None:
    emulate(browser, 1280, "dark")
    browser.get(run_page)
    pdf = base64.b64decode(browser.execute_cdp_cmd("Page.printToPDF", {})["data"])
    assert pdf.startswith(b"%PDF")
    assert len(pdf) > 50_000
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    paper = "return getComputedStyle(document.body).backgroundColor"
    assert browser.execute_script(paper) == "rgb(255, 255, 255)", "paper is white in the dark, too"
    clipped = (
        "return [...document.querySelectorAll('.scroll')]"
        ".filter(e => getComputedStyle(e).overflowX !== 'visible').length"
    )
    assert browser.execute_script(clipped) == 0
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
