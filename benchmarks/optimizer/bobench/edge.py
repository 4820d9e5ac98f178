"""Where the optimum is: in a corner of the box (`corner`), or anywhere in it (`any`), for what is good at optima inside only."""

from __future__ import annotations

import numpy as np

from .problems import FunctionProblem, ackley, box, levy, rastrigin, shifted

# name, function, half the width of the box, where its optimum is in every coordinate
FUNCTIONS = (("ackley", ackley, 32.768, 0.0), ("levy", levy, 10, 1.0), ("rastrigin", rastrigin, 5.12, 0.0))
CORNER = 0.97


def edge_problems():
    problems = []
    for d in (4, 8):
        for number, (name, f, half, least) in enumerate(FUNCTIONS):
            rng = np.random.default_rng([77, number, d])
            corner = np.where(rng.random(d) < 0.5, -CORNER, CORNER)
            for where, optimum in (("corner", corner), ("any", rng.uniform(-1, 1, d))):
                space = box(d, -half, half)
                problems.append(FunctionProblem(f"{name}-{where}-{d}d", shifted(f, optimum * half - least), space, 0.0))
    return problems
