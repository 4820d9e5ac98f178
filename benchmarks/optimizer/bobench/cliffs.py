"""Services that fall off cliffs (`cliffs`): a cache that does not hold the working set or pushes out the page cache, a pool that runs dry. What
is lost jumps where a number leaves a window, or two numbers together pass a threshold; between the cliffs it changes little."""

from __future__ import annotations

import numpy as np

from .problems import FunctionProblem

# numbers, those of them with a window, cliffs that need two of them, edges that run across two of them
KINDS = ((4, 3, 1, 0), (4, 2, 1, 1), (8, 5, 2, 0), (8, 4, 2, 2))
NOISE = 0.3


def cliff_problems():
    problems = []
    for number, (d, single, double, across) in enumerate(KINDS):
        for variant in range(2):
            rng = np.random.default_rng([91, number, variant])
            optimum = rng.uniform(0.15, 0.85, d)
            side = np.where(rng.random(d) < 0.5, -1, 1)
            edge = rng.uniform(0.05, 0.3, d)
            columns = rng.permutation(d)
            alone = [(j, w) for j, w in zip(columns[:single], rng.lognormal(0, 0.5, single))]
            pairs = [(*rng.choice(d, 2, replace=False), w) for w in rng.lognormal(0.5, 0.5, double)]
            slanted = [(*rng.choice(d, 2, replace=False), w) for w in rng.lognormal(0, 0.5, across)]

            def lost(x, optimum=optimum, side=side, edge=edge, alone=alone, pairs=pairs, slanted=slanted):
                off = x - optimum
                beyond = (side * off > edge) | (side * off < -1.5 * edge)
                total = 0.5 * float(np.sum(off * off))
                total += sum(w for j, w in alone if beyond[j])
                total += sum(w for a, b, w in pairs if side[a] * off[a] > edge[a] / 2 and side[b] * off[b] < -edge[b] / 2)
                return total + sum(w for a, b, w in slanted if side[a] * off[a] + side[b] * off[b] > edge[a])

            space = [{"name": f"x{j}", "type": "float", "low": 0, "high": 1} for j in range(d)]
            name = f"cliffs-{d}d-{'slanted' if across else 'straight'}-{variant}"
            problems.append(FunctionProblem(name, lost, space, 0.0))
            problems.append(FunctionProblem(f"{name}-noisy", lost, space, 0.0, noise_sd=NOISE))
    return problems
