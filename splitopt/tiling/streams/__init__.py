"""Row streams: a segment that makes one output row at a time and computes none twice."""
