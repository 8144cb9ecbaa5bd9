"""Row bands: the ops of a segment run several times, each time on a range of rows."""
