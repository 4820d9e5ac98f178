"""Numbers that tell most at one end of their range, as sizes and rates do, declared as if they did not (`scales`)."""

from __future__ import annotations

import numpy as np

from .problems import FunctionProblem, ackley, levy

# name, function, where its optimum is, decades that each parameter spans; 0 for one that is as declared
KINDS = (
    ("levy", levy, 1.0, (3, 3, 0, 0)),
    ("ackley", ackley, 0.0, (3, 0, 0, 0)),
    ("bowl", lambda z: float(np.sum(z * z)) + 2 * abs(z[0] * z[1]), 0.0, (4, 4, 2, 0, 0, 0)),
    ("bowl-top", lambda z: float(np.sum(z * z)) + 2 * abs(z[0] * z[1]), 0.0, (-3, -3, 0, 0)),
)


def behind(value, decades):
    """The declared value of a position in [-1, 1]: its logarithm is what tells, from the low end or (decades < 0) the high one."""
    t = (value + 1) / 2
    if decades == 0:
        return t
    share = np.log1p((10.0 ** abs(decades) - 1) * (t if decades > 0 else 1 - t)) / np.log(10.0 ** abs(decades))
    return share if decades > 0 else 1 - share


def scale_problems():
    problems = []
    for number, (name, f, least, decades) in enumerate(KINDS):
        rng = np.random.default_rng([55, number])
        optimum = rng.uniform(0.2, 0.8, len(decades))
        space = [{"name": f"x{j}", "type": "float", "low": -1, "high": 1} for j in range(len(decades))]

        def seen(x, f=f, optimum=optimum, decades=decades, least=least):
            at = np.array([behind(v, d) for v, d in zip(x, decades)])
            return f(8 * (at - optimum) + least)

        problems.append(FunctionProblem(f"{name}-scales", seen, space, 0.0))
        problems.append(FunctionProblem(f"{name}-scales-noisy", seen, space, 0.0, noise_sd=1.0))
    return problems
