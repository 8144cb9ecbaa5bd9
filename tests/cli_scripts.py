"""Programs that run the command line with one part of it replaced."""

# The first piece's largest constant is changed: what a fault in the writer would look like.
FAULTY = """
import sys
from splitopt.cli import app as cli
from splitopt.pieces import group_files, piece_set
right = piece_set.write_piece
def wrong(graph, segment, offline_plan, origins=None):
    data = bytearray(right(graph, segment, offline_plan, origins))
    if (origins or [segment.start])[0] == 0:
        constants = (graph.tensors[t] for t in segment.tensors if graph.tensors[t].is_constant)
        constant = max(constants, key=lambda tensor: tensor.bytes)
        where = data.index(bytes(constant.data))
        for at in range(where, where + constant.bytes):
            data[at] ^= 0x55
    return bytes(data)
piece_set.write_piece = group_files.write_piece = wrong
cli.main()
"""
# A model that CP-SAT does not solve within a minute stands before that of the plan.
ENDLESS = """
import random
from ortools.sat.python import cp_model
from splitopt.solvers import engine
from splitopt.solvers.deadline import Deadline
from splitopt.solvers.params import SolveParams
from splitopt.cli import app as cli
from splitopt.planning import planner
solve = planner.solve_partition
def endless(*given, **how):
    planner.solve_partition = solve
    draw, model = random.Random(1), cp_model.CpModel()
    sizes = [draw.randint(10, 99) for _ in range(60)]
    chosen = [[model.new_bool_var("") for _ in range(8)] for _ in sizes]
    most = model.new_int_var(0, 10_000, "")
    for row in chosen:
        model.add_exactly_one(row)
    for column in zip(*chosen):
        model.add(sum(size * here for size, here in zip(sizes, column)) <= most)
    for a in range(60):
        for b in range(a):
            if draw.random() < 0.12:
                for left, right in zip(chosen[a], chosen[b]):
                    model.add_at_most_one([left, right])
    model.minimize(1000 * most + sum(draw.randint(0, 50) * x for row in chosen for x in row))
    print("solving", flush=True)
    engine.run(model, SolveParams(60.0), Deadline(60.0))
    return solve(*given, **how)
planner.solve_partition = endless
cli.main()
"""
