"""What plans put into the stores of an instance."""

from collections.abc import Sequence

from splitopt.solvers.partition.instance import Option


def most_stored(n: int, options: Sequence[Option]) -> tuple[int, ...]:
    """The most that any plan of these options for n items puts into each store; empty without
    stores."""
    by_start: list[list[Option]] = [[] for _ in range(n)]
    for option in options:
        by_start[option.start].append(option)
    stores = max((len(option.stored) for option in options), default=0)
    found = []
    for store in range(stores):
        most = [0, *[-1] * n]
        for start, own in enumerate(by_start):
            for option in own if most[start] >= 0 else ():
                put = most[start] + (option.stored[store] if option.stored else 0)
                most[option.stop] = max(most[option.stop], put)
        found.append(max(0, most[n]))
    return tuple(found)
