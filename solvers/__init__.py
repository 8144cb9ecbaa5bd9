"""Abstract instances in, plans out: cutting an order of items, packing buffers into memory."""
