"""Services with choices (`services`): an engine, a policy and switches beside numbers, in random instances; the best numbers, and which
of them matter, depend on the choices by more (`own`) or less (`like`)."""

from __future__ import annotations

import numpy as np

from .problems import Problem

# name, levels of each categorical, switches, numbers, how far the best numbers of a level are from those of another (part of the range)
KINDS = (
    ("like-4", (4,), 0, 4, 0.08),
    ("own-4", (4,), 0, 4, 0.3),
    ("like-6x3", (6, 3), 1, 4, 0.08),
    ("own-6x3", (6, 3), 1, 4, 0.3),
    ("like-3x3x3", (3, 3, 3), 2, 2, 0.08),
    ("own-5", (5,), 2, 6, 0.2),
)


class ServiceProblem(Problem):
    goal = "minimize"

    def __init__(self, name, levels, switches, numbers, apart, instance, noise_sd=0.0):
        rng = np.random.default_rng([991, instance, len(levels), numbers, int(100 * apart)])
        self.name, self.noise_sd = name, noise_sd
        self.tags = ("mixed",) + (("noisy",) if noise_sd else ())
        choices = tuple(levels) + (2,) * switches
        self.space = [{"name": f"c{k}", "type": "categorical", "choices": [f"v{i}" for i in range(n)]} for k, n in enumerate(choices)]
        self.space += [{"name": f"x{j}", "type": "float", "low": 0.0, "high": 1.0} for j in range(numbers)]
        self.costs = [rng.permutation(np.linspace(0, rng.uniform(0.3, 1.0), n)) for n in choices]
        self.middle = rng.uniform(0.2, 0.8, numbers)
        # the first categorical moves the optimum, others rather less
        self.moves = [
            rng.uniform(-1, 1, (n, numbers)) * apart * (1.0 if k == 0 else 0.3) for k, n in enumerate(choices)
        ]
        self.weights = rng.lognormal(0.0, 0.7, (choices[0], numbers)) * 4
        self.kink = rng.random(numbers) < 0.3
        self.pairs = [(a, b) for a in range(numbers) for b in range(a) if rng.random() < 0.3]

    def _f(self, p):
        chosen = [int(p[f"c{k}"][1:]) for k in range(len(self.costs))]
        best = np.clip(self.middle + sum(m[c] for m, c in zip(self.moves, chosen)), 0.05, 0.95)
        d = np.array([p[f"x{j}"] for j in range(len(self.middle))]) - best
        w = self.weights[chosen[0]]
        bowl = float(np.sum(w * np.where(self.kink, 0.3 * np.abs(d), d * d)))
        bowl += sum(2.0 * abs(d[a] * d[b]) for a, b in self.pairs)
        return sum(c[i] for c, i in zip(self.costs, chosen)) + bowl

    def regret(self, params):
        return max(self._f(params), 0.0)

    def evaluate(self, params, rng):
        return self._f(params) + (self.noise_sd * rng.standard_normal() if self.noise_sd else 0.0)


def service_problems():
    return [
        ServiceProblem(f"{name}-{instance}{'-noisy' if noise else ''}", *kind, instance, noise)
        for name, *kind in KINDS
        for instance in (1, 2)
        for noise in (0.0, 0.15)
    ]
