"""Random networks as graphs, with random requests of their kernels: no file, no real operator.

They have what segments and arenas depend on: skips, several outputs, tensors that nothing reads,
constants that ops share, variables, intermediates, and per-channel scales.
"""

from __future__ import annotations

import random

from splitopt.arena.kernel import KernelMemory
from splitopt.graph.model import ABSENT, DType, ModelGraph, Op, Quantization, Tensor, TensorKind

INT8 = DType("INT8", 8)
TYPES = ("CONV_2D", "ADD", "FULLY_CONNECTED", "SOFTMAX", "PAD", "OTHER")
SIZES = (0, 1, 15, 16, 48, 64, 64, 128, 129, 256, 1000)


class _Net:
    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.tensors: list[Tensor] = []

    def tensor(self, kind: TensorKind, elements: int) -> int:
        index = len(self.tensors)
        channels = self.chance.choice((0, 1, 1, 3, 64))
        scales = Quantization((0.5,) * channels, (0,) * channels) if channels else None
        shape = (1, elements)
        self.tensors.append(Tensor(index, f"t{index}", shape, INT8, kind, 1 + index, scales))
        return index


def random_net(seed: int, most_ops: int = 12) -> ModelGraph:
    """A network of 1 to `most_ops` ops; sizes repeat, so that ties decide places."""
    chance = random.Random(seed)
    net, sizes = _Net(chance), chance.sample(SIZES, chance.randint(2, len(SIZES)))
    inputs = [net.tensor(TensorKind.ACTIVATION, chance.choice(sizes)) for _ in range(2)]
    values, constants, ops = list(inputs), [net.tensor(TensorKind.CONSTANT, 64)], []
    variables = [net.tensor(TensorKind.VARIABLE, 40)] if chance.random() < 0.3 else []
    for index in range(chance.randint(1, most_ops)):
        if chance.random() < 0.7:
            constants.append(net.tensor(TensorKind.CONSTANT, chance.choice(sizes)))
        reads = [values[-1], *chance.sample(values, chance.randint(0, min(2, len(values))))]
        reads += [chance.choice(constants), *chance.sample(variables, len(variables))]
        reads += [ABSENT] * (chance.random() < 0.2)
        made = [net.tensor(TensorKind.ACTIVATION, chance.choice(sizes))]
        if chance.random() < 0.2:
            made.append(net.tensor(TensorKind.ACTIVATION, chance.choice(sizes)))
        seldom = chance.random() < 0.1
        inner = (net.tensor(TensorKind.ACTIVATION, chance.choice(sizes)),) if seldom else ()
        values += made
        ops.append(Op(index, chance.choice(TYPES), 1, tuple(reads), tuple(made), {}, inner))
    outputs = {values[-1], *chance.sample(values[2:], chance.randint(0, 1))}
    tensors = tuple(net.tensors)
    return ModelGraph("net", tensors, tuple(ops), tuple(inputs), tuple(sorted(outputs)), b"")


def random_memories(graph: ModelGraph, seed: int, widest: int = 8) -> tuple[KernelMemory, ...]:
    """What its kernels ask for, of any size. `widest`: the alignment of some options."""
    chance = random.Random(seed)
    params = (None, (1, 1), (2, 1), (5, 1), (28, 4), (40, widest))

    def sizes(most: int, largest: int) -> tuple[int, ...]:
        return tuple(chance.randrange(largest) for _ in range(chance.randint(0, most)))

    return tuple(
        KernelMemory(
            params=chance.choice(params),
            init=sizes(1, 100),
            kept=sizes(2, 500),
            temporaries=tuple(t for t in op.touched if chance.random() < 0.7) * 2,
            scratch=sizes(2, 300),
        )
        for op in graph.ops
    )
