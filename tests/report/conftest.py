"""Fixtures of tests that look at reports in a browser."""

from chromium import browser, plain, run, run_page, sweep_page

__all__ = ["browser", "plain", "run", "run_page", "sweep_page"]
