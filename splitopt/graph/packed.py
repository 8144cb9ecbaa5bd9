"""The schema's objects → the bytes of a .tflite file whose constants start on 16 bytes."""

from __future__ import annotations

from typing import Any

import flatbuffers
from ai_edge_litert import schema_py_generated as fb

_FILE_MARK = b"TFL3"
_CONSTANT_ALIGNMENT = 16


class _AlignedBuffer(fb.BufferT):  # type: ignore[misc]
    """A buffer whose data start on 16 bytes, which the generated bindings do not ask for."""

    def Pack(self, builder: flatbuffers.Builder) -> int:  # noqa: N802
        data = None
        if self.data is not None:
            builder.StartVector(1, len(self.data), _CONSTANT_ALIGNMENT)
            builder.head = builder.head - len(self.data)
            builder.Bytes[builder.head : builder.head + len(self.data)] = self.data
            data = builder.EndVector()
        fb.BufferStart(builder)
        if data is not None:
            fb.BufferAddData(builder, data)
        return int(fb.BufferEnd(builder))


def aligned_buffer(data: Any) -> fb.BufferT:
    """A buffer with these bytes; without any, the empty one."""
    buffer = _AlignedBuffer()
    buffer.data = bytes(data) if len(data) else None
    return buffer


def pack(model: fb.ModelT) -> bytes:
    """A model as a file whose constants are aligned; its buffers are replaced by such."""
    model.buffers = [aligned_buffer(b"" if b.data is None else b.data) for b in model.buffers]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=_FILE_MARK)
    return bytes(builder.Output())
