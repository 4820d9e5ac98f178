"""Heavy-tailed noise: measurements of which some are far off, as when something else ran beside the benchmark.

The functions of the development set with two kinds of noise. `hiccups`: Gaussian noise of 2 % of the range, and on every tenth
measurement something exponentially distributed, half the range on average, that makes it worse. `t2`: Student's t with two
degrees of freedom, 2 % of the range; its variance is infinite, to both sides.
"""

from __future__ import annotations

from .problems import FunctionProblem, base_functions

HICCUPS = 0.1


class TailProblem(FunctionProblem):
    """Noise that is not Gaussian, `scale` being its unit."""

    def __init__(self, name, fn, space, f_opt, kind, spread):
        super().__init__(name, fn, space, f_opt, tags=("noisy", kind))
        self.kind, self.spread = kind, spread

    def evaluate(self, params, rng):
        value = self._f(params)
        if self.kind == "t2":
            return value + 0.02 * self.spread * rng.standard_t(2)
        noise = 0.02 * self.spread * rng.standard_normal()
        hiccup, size = rng.random() < HICCUPS, rng.exponential(0.5 * self.spread)
        return value + noise + (size if hiccup else 0.0)


def tail_problems():
    return [
        TailProblem(f"{name}-{kind}", fn, space, least, kind, spread)
        for kind in ("hiccups", "t2")
        for name, fn, space, least, spread in base_functions()
    ]
