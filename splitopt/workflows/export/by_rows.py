"""How an application hands over inputs that the plan takes row by row."""

from __future__ import annotations

from collections.abc import Sequence

from splitopt.base.units import plural
from splitopt.runtime.links import PieceLinks
from splitopt.runtime.stream_tables import NOWHERE


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
