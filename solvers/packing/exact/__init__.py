"""Exact packing by search: do these buffers fit a capacity, and where do they lie?

The search looks for a settled plan: one in which every buffer lies at offset 0 or on top of
another one that lives when it does. If any plan fits, a settled one does: let a buffer sink that
rests on nothing; no end rises, and the sum of all offsets falls, so this comes to an end.

Each unplaced buffer has a lowest offset that is still open to it. A node picks one that no
unplaced neighbour in time could fit below, and asks: does it lie at its lowest offset?
  yes: all its neighbours lie above it                       state.placed
  no:  it rests on one of them, above the lowest of their ends   state.raised
The two answers exclude one another, so no plan is looked at twice, whatever the order of buffers.

Sources of ideas: M. D. Moffitt, "MiniMalloc: A Lightweight Memory Allocator for
Hardware-Accelerated Machine Learning", ASPLOS 2023 (sections, inference of floors, decomposition,
several orders of preference). The question asked at a node and the bounds are our own.
"""
