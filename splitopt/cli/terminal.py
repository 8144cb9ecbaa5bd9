"""Results on standard output as a reader wants them, and the progress of a sweep."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.markup import escape

from splitopt.base.errors import InfeasibleError
from splitopt.base.text import Paragraph, clean, table
from splitopt.cli.console import err, out, show_step
from splitopt.cli.plain_progress import plain_progress

if TYPE_CHECKING:  # each command loads what it shows, and no more
    from splitopt.bundle.schema.board_timing import BoardTiming
    from splitopt.bundle.schema.explain import ModelExplanation, RunExplanation
    from splitopt.bundle.schema.timing import Timing
    from splitopt.workflows.run import RunResult
    from splitopt.workflows.sweep.run import Progress, SweepResult

_STYLES = {
    "verdict": "bold",
    "header": "bold",
    "note": "dim",
    "passed": "green",
    "failed": "bold red",
    "warning": "bold yellow",
    "skipped": "yellow",
}
_SEVERITIES = {"fault": "bold red", "warning": "yellow", "note": "dim"}


@contextmanager
def sweep_progress() -> Iterator[Callable[[Progress], None]]:
    """A bar of points with what came last; plain lines if stderr is not a terminal."""
    if not err.is_terminal:
        with plain_progress(show_step) as say:
            yield lambda at: say(f"{at.done} of {at.total} points {_progress_line(at)}")
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as ProgressBar

    bar = BarColumn(bar_width=30)
    columns = (bar, MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    with ProgressBar(*columns, console=err, transient=True) as shown:
        task = shown.add_task("starting", total=None)
        yield lambda at: shown.update(
            task, completed=at.done, total=at.total, description=escape(clean(_progress_line(at)))
        )


def _progress_line(at: Progress) -> str:
    if at.last is None:
        return at.step
    return f"{at.step}: {at.last.id} {at.last.status}"


def show(paragraphs: Iterable[Paragraph]) -> None:
    """Paragraphs with an empty line between them, each line in the style of its tone."""
    for number, lines in enumerate(paragraphs):
        if number:
            out.print()
        for line in lines:
            is_table = line.tone in ("header", "table")
            out.print(escape(line.text), style=_STYLES.get(line.tone, ""), soft_wrap=is_table)


def show_sweep(result: SweepResult) -> None:
    from splitopt.report.text.sweep import sweep_text

    show(sweep_text(result.document, result.rows))
    out.print(f"\nSweep: {escape(str(result.folder))}")


def show_result(result: RunResult, *, verbose: bool = False) -> None:
    """The answer; with `verbose`, all that stands behind it."""
    from splitopt.report.text.answer import answer_text
    from splitopt.report.text.summary import run_text

    plan, checks = result.document, result.checks
    show(answer_text(plan, checks, str(result.folder), result.own_inputs))
    if verbose:
        out.print()
        show(run_text(plan, checks, result.limit, result.diagnosis, result.timing))


@contextmanager
def unfit_shown(*, quiet: bool) -> Iterator[None]:
    """Where no plan fits, what is reachable, before the error is told; nothing if `quiet`."""
    try:
        yield
    except InfeasibleError as error:
        from splitopt.report.text.answer import unfit_text

        if not quiet and "help" in error.facts:
            show(unfit_text(error.facts))
        raise


def show_timing(timing: Timing) -> None:
    from splitopt.report.text.timing import timing_text

    show(timing_text(timing))


def show_board(timing: BoardTiming) -> None:
    from splitopt.report.text.board_timing import board_text

    show(board_text(timing))


def show_explanation(found: ModelExplanation | RunExplanation, *, verbose: bool = False) -> None:
    """Of a model, the answer; with `verbose`, all that stands behind it. Of a run, everything."""
    from splitopt.bundle.schema.explain import ModelExplanation
    from splitopt.explain.fit import answer_text
    from splitopt.explain.text import model_text

    if isinstance(found, ModelExplanation):
        out.print(escape(answer_text(found)), soft_wrap=True, end="")
        if verbose:
            out.print(escape(f"\n{model_text(found)}"), soft_wrap=True, end="")
    else:
        _show_run_explanation(found)


def _show_run_explanation(found: RunExplanation) -> None:
    """Verdicts, findings by severity, remedies, then tables; wide ones are left to the terminal."""
    from splitopt.explain import text

    for number, line in enumerate(text.verdict_lines(found)):
        out.print(escape(line), style="bold" if number < 2 else "")
    for finding in found.outputs.findings if found.outputs else ():
        out.print()
        for number, line in enumerate(text.finding_lines(finding)):
            style = _SEVERITIES[finding.severity] if number == 0 else ""
            out.print(escape(line), style=style, soft_wrap=True)
    for title, lines in (
        (text.lowest_peaks_title(found.memory), found.memory.lowest_peak_lines),
        (text.REMEDIES, text.remedy_lines(found.memory)),
    ):
        out.print(f"\n{title}:", style="bold")
        for line in lines:
            out.print(escape(line), soft_wrap=True)
    for shown in text.run_tables(found):
        out.print(f"\n{escape(shown.title)}", style="bold")
        out.print(escape(table(shown.header, shown.rows)), soft_wrap=True)
