"""BBOB functions in 4 and 8 dimensions, some of them with noise: what no decision was made on.

After Hansen, Finck, Ros, Auger, "Real-Parameter Black-Box Optimization Benchmarking 2009: Noiseless Functions Definitions"
(INRIA RR-6829), instances drawn from seeds of this file's own, so values are not those of the COCO platform. All are minimised over
[-5, 5]^d; regret is the function less its minimum.
"""

from __future__ import annotations

import math

import numpy as np

from .problems import FunctionProblem, box


def rotation(d, rng):
    q, r = np.linalg.qr(rng.standard_normal((d, d)))
    return q * np.sign(np.diag(r))


def scaling(alpha, d):
    """The diagonal of Lambda^alpha."""
    return alpha ** (0.5 * np.arange(d) / max(d - 1, 1))


def powers(condition, d):
    return condition ** (np.arange(d) / max(d - 1, 1))


def oscillated(x):
    x = np.asarray(x, float)
    hat = np.log(np.abs(np.where(x == 0, 1.0, x)))
    c1, c2 = np.where(x > 0, 10.0, 5.5), np.where(x > 0, 7.9, 3.1)
    return np.where(x == 0, 0.0, np.sign(x) * np.exp(hat + 0.049 * (np.sin(c1 * hat) + np.sin(c2 * hat))))


def asymmetric(x, beta):
    d = len(x)
    exponent = 1 + beta * np.arange(d) / max(d - 1, 1) * np.sqrt(np.maximum(x, 0))
    return np.where(x > 0, np.abs(x) ** exponent, x)


def outside(x):
    return float(np.sum(np.maximum(0, np.abs(x) - 5) ** 2))


def ellipsoid_separable(d, rng):
    best = rng.uniform(-4, 4, d)
    return lambda x: float(powers(1e6, d) @ oscillated(x - best) ** 2)


def rastrigin_separable(d, rng):
    best = rng.uniform(-4, 4, d)

    def f(x):
        z = scaling(10, d) * asymmetric(oscillated(x - best), 0.2)
        return float(10 * (d - np.sum(np.cos(2 * np.pi * z))) + z @ z)

    return f


def attractive_sector(d, rng):
    best, r, q = rng.uniform(-4, 4, d), rotation(d, rng), rotation(d, rng)

    def f(x):
        z = q @ (scaling(10, d) * (r @ (x - best)))
        s = np.where(z * best > 0, 100.0, 1.0)
        return float(oscillated(np.array([np.sum((s * z) ** 2)]))[0] ** 0.9)

    return f


def step_ellipsoid(d, rng):
    best, r, q = rng.uniform(-4, 4, d), rotation(d, rng), rotation(d, rng)

    def f(x):
        hat = scaling(10, d) * (r @ (x - best))
        tilde = np.where(np.abs(hat) > 0.5, np.floor(0.5 + hat), np.floor(0.5 + 10 * hat) / 10)
        z = q @ tilde
        return float(0.1 * max(abs(hat[0]) / 1e4, powers(100, d) @ z**2)) + outside(x)

    return f


def rosenbrock(d, rng):
    best = rng.uniform(-3, 3, d)

    def f(x):
        z = max(1, math.sqrt(d) / 8) * (x - best) + 1
        return float(np.sum(100 * (z[:-1] ** 2 - z[1:]) ** 2 + (z[:-1] - 1) ** 2))

    return f


def ellipsoid(d, rng):
    best, r = rng.uniform(-4, 4, d), rotation(d, rng)
    return lambda x: float(powers(1e6, d) @ oscillated(r @ (x - best)) ** 2)


def sharp_ridge(d, rng):
    best, r, q = rng.uniform(-4, 4, d), rotation(d, rng), rotation(d, rng)

    def f(x):
        z = q @ (scaling(10, d) * (r @ (x - best)))
        return float(z[0] ** 2 + 100 * math.sqrt(np.sum(z[1:] ** 2)))

    return f


def different_powers(d, rng):
    best, r = rng.uniform(-4, 4, d), rotation(d, rng)

    def f(x):
        z = np.abs(r @ (x - best))
        return float(math.sqrt(np.sum(z ** (2 + 4 * np.arange(d) / max(d - 1, 1)))))

    return f


def rastrigin(d, rng):
    best, r, q = rng.uniform(-4, 4, d), rotation(d, rng), rotation(d, rng)

    def f(x):
        z = r @ (scaling(10, d) * (q @ asymmetric(oscillated(r @ (x - best)), 0.2)))
        return float(10 * (d - np.sum(np.cos(2 * np.pi * z))) + z @ z)

    return f


def schaffer(d, rng):
    best, r, q = rng.uniform(-4, 4, d), rotation(d, rng), rotation(d, rng)

    def f(x):
        z = scaling(10, d) * (q @ asymmetric(r @ (x - best), 0.5))
        s = np.sqrt(z[:-1] ** 2 + z[1:] ** 2)
        return float(np.mean(np.sqrt(s) + np.sqrt(s) * np.sin(50 * s**0.2) ** 2) ** 2) + 10 * outside(x)

    return f


def griewank_rosenbrock(d, rng):
    r = rotation(d, rng)

    def f(x):
        z = max(1, math.sqrt(d) / 8) * (r @ x) + 0.5
        s = 100 * (z[:-1] ** 2 - z[1:]) ** 2 + (z[:-1] - 1) ** 2
        return float(10 * np.mean(s / 4000 - np.cos(s)) + 10)

    return f


def schwefel(d, rng):
    sign = np.where(rng.random(d) < 0.5, -1.0, 1.0)
    half = 4.2096874633 / 2  # |x_opt|

    def f(x):
        hat = 2 * sign * x
        z = hat.copy()
        z[1:] += 0.25 * (hat[:-1] - 2 * half)
        z = 100 * (scaling(10, d) * (z - 2 * half) + 2 * half)
        penalty = float(np.sum(np.maximum(0, np.abs(z / 100) - 5) ** 2))
        return float(-np.mean(z * np.sin(np.sqrt(np.abs(z)))) / 100 + 4.189828872724339) + 100 * penalty

    return f


def gallagher(d, rng):
    peaks = 101
    r = rotation(d, rng)
    y = rng.uniform(-5, 5, (peaks, d))
    y[0] = rng.uniform(-4, 4, d)
    w = np.concatenate([[10.0], 1.1 + 8 * np.arange(peaks - 1) / (peaks - 2)])
    alphas = np.concatenate([[1000.0], 1000 ** (2 * rng.permutation(peaks - 1) / (peaks - 2))])
    c = np.array([rng.permutation(scaling(a, d) ** 2) / a**0.25 for a in alphas])

    def f(x):
        z = (x - y) @ r.T
        best = np.max(w * np.exp(-np.sum(c * z**2, axis=1) / (2 * d)))
        return float(oscillated(np.array([10 - best]))[0] ** 2) + outside(x)

    return f


FUNCTIONS = {
    "ellipsoid-separable": ellipsoid_separable,
    "rastrigin-separable": rastrigin_separable,
    "attractive-sector": attractive_sector,
    "step-ellipsoid": step_ellipsoid,
    "rosenbrock-shifted": rosenbrock,
    "ellipsoid": ellipsoid,
    "sharp-ridge": sharp_ridge,
    "different-powers": different_powers,
    "rastrigin-rotated": rastrigin,
    "schaffer": schaffer,
    "griewank-rosenbrock": griewank_rosenbrock,
    "schwefel": schwefel,
    "gallagher": gallagher,
}
NOISY = ("attractive-sector", "rosenbrock-shifted", "different-powers", "rastrigin-rotated", "schwefel", "gallagher")


def bbob_problems(dimensions=(4, 8)):
    problems = []
    for d in dimensions:
        for number, (name, make) in enumerate(FUNCTIONS.items()):
            f = make(d, np.random.default_rng([number, d]))
            problems.append(FunctionProblem(f"{name}-{d}d", f, box(d, -5, 5), 0.0))
            if name in NOISY:
                uniform = np.random.default_rng([number, d, 1]).uniform(-5, 5, (2000, d))
                spread = float(np.quantile([f(x) for x in uniform], 0.95))
                problems.append(FunctionProblem(f"{name}-{d}d-noisy", f, box(d, -5, 5), 0.0, noise_sd=0.05 * spread))
    return problems
