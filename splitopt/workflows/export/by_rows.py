"""How an application hands over inputs that have no place in the region."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from splitopt.base.units import plural
from splitopt.runtime.links import Link, PieceLinks
from splitopt.runtime.stream_tables import NOWHERE


def placed_inputs(links: Sequence[PieceLinks]) -> Iterator[Link]:
    """Inputs of the model that have a place, in the region or in a store, when an inference
    begins."""
    for link in links[0].inputs:
        if link.model_index != NOWHERE and link.offset != NOWHERE:
            yield link


def place_lines(links: Sequence[PieceLinks]) -> str:
    """Declares where these lie."""
    return "".join(
        f"inline constexpr std::size_t kInput{link.model_index}Offset = {link.offset};"
        f"  // of {_home(link)}\n"
        f"inline constexpr std::size_t kInput{link.model_index}Bytes = {link.size_bytes};\n"
        for link in placed_inputs(links)
    )


def _home(link: Link) -> str:
    return "the region" if link.store == NOWHERE else f"stores[{link.store}]"


def placed_text(namespace: str, links: Sequence[PieceLinks]) -> str:
    """Markdown, of inputs that may be written to their places; none where there are none."""
    ends = [
        f"input {link.model_index} ({link.size_bytes:,} B from {link.offset:,} of {_home(link)} on)"
        for link in placed_inputs(links)
    ]
    if not ends:
        return ""
    return f"""
## Input in its place

The plan has a place for {"; ".join(ends)}: `kInput0Offset` and so on of
`{namespace}.h`. Written there, as in the example above, it needs no other buffer, and `Run` copies
nothing. Write it anew before each `Run`, after `Prepare`: pieces use these bytes later. Given
from a buffer elsewhere, it is copied there.
"""


def whole_text(links: Sequence[PieceLinks]) -> str:
    """Markdown, of inputs that a piece takes whole into its arena; none where there are none."""
    ends = [
        f"input {link.model_index} ({link.size_bytes:,} B)"
        for own in links
        for link in own.inputs
        if not link.row_bytes and link.model_index != NOWHERE and link.offset == NOWHERE
    ]
    if not ends:
        return ""
    return f"""
## Input without a buffer

The region has no place for {"; ".join(ends)}: it is copied from the buffer in `inputs` into the
arena of the piece that reads it. That buffer is RAM of yours, beside the region. To do without
it, give null in `inputs`, and a `splitopt::RowSource` that writes the whole input when it is asked:

```cpp
struct Sensor : splitopt::RowSource {{
  bool Give(std::uint32_t input, std::uint32_t row, std::uint32_t rows, void* to) override {{
    return Capture(to);  // rows is kWhole: all of the input; false ends Run with Error::kNoRows
  }}
}} sensor;
splitopt::Result result = runner.Run(inputs, outputs, &sensor);
```
"""


def rows_text(links: Sequence[PieceLinks]) -> str:
    """Markdown; none where the plan holds all inputs whole."""
    ends = [
        f"input {link.model_index}: {plural(link.size_bytes // link.row_bytes, 'row')} of "
        f"{link.row_bytes:,} B"
        for own in links
        for link in own.inputs
        if link.row_bytes and link.model_index != NOWHERE and link.offset == NOWHERE
    ]
    if not ends:
        return ""
    is_banded = any(own.slices and own.inputs[0].offset == NOWHERE for own in links)
    again = "asks for some rows again" if is_banded else "asks for each row once, from the top"
    return f"""
## Input by rows

The region has no place for {"; ".join(ends)}. Where a buffer is given in `inputs`, rows are read
from it. Give null instead, and a `splitopt::RowSource` that delivers rows when it is asked; this
plan {again}:

```cpp
struct Camera : splitopt::RowSource {{
  bool Give(std::uint32_t input, std::uint32_t row, std::uint32_t rows, void* to) override {{
    return NextRows(rows, to);  // waits for the camera; false ends Run with Error::kNoRows
  }}
}} camera;
splitopt::Result result = runner.Run(inputs, outputs, &camera);
```
"""
