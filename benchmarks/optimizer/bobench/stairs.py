"""Staircase problems: the response is constant within cells and jumps between them.

Two kinds: development functions whose inputs or outputs are rounded, and placements, where servers go one after another
to the host with the largest weighted sum, so that only the direction of the weights matters and the objective, a product
of slow-downs, spans powers of ten.
"""

from __future__ import annotations

import itertools

import numpy as np

from . import problems
from .problems import FunctionProblem, Problem, box


def cells(fn, space, count):
    """`fn` at the centre of the cell of its argument, `count` cells an axis."""
    low = np.array([p["low"] for p in space], float)
    width = (np.array([p["high"] for p in space], float) - low) / count

    def stepped(x):
        return fn(low + width * (np.clip(np.floor((x - low) / width), 0, count - 1) + 0.5))

    return stepped


def least_by_axis(fn, space, count):
    """The minimum of a sum of functions of one axis each over all cells: every axis by itself."""
    stepped, x = cells(fn, space, count), np.array([p["low"] for p in space], float)
    for j, p in enumerate(space):
        centres = p["low"] + (p["high"] - p["low"]) / count * (np.arange(count) + 0.5)
        values = []
        for c in centres:
            x[j] = c
            values.append(stepped(x))
        x[j] = centres[int(np.argmin(values))]
    return stepped(x)


def least_of_all(fn, space, count):
    """The minimum over all cells."""
    axes = [p["low"] + (p["high"] - p["low"]) / count * (np.arange(count) + 0.5) for p in space]
    return min(fn(np.array(x)) for x in itertools.product(*axes))


def levels(fn):
    """`1 + fn` rounded up to quarters of a power of ten; the steps of `fn` in its output."""
    return lambda x: float(10 ** (np.ceil(4 * np.log10(1 + fn(x))) / 4))


class Placement(Problem):
    """`servers` go one after another to the host with the largest weighted sum of `dim` features (each scaled to 0 … 1
    over the hosts, as nova's weighers are); a server is slowed by its host and, by powers of ten, by neighbours that want
    the same. The objective is the product of all slow-downs."""

    goal = "minimize"
    hosts = 6

    def __init__(self, name, dim, servers, seed, least, noise_sd=0.0):
        """`least`: what `search_least` finds."""
        self.name, self.least, self.noise_sd = name, least, noise_sd
        self.space = box(dim, -1, 1)
        self.tags = ("placement",) + (("noisy",) if noise_sd else ())
        rng = np.random.default_rng(seed)
        self.features = rng.uniform(0, 1, (self.hosts, dim))  # what the weighers see of an empty host
        self.taken = rng.uniform(0.0, 0.4, (servers, dim))  # and what a server takes of it
        self.speed = rng.uniform(0.0, 0.5, (servers, self.hosts))  # log10 of the slow-down by the host
        self.want = rng.dirichlet(np.full(3, 0.4), servers)  # of processor, disk and network
        self.load = rng.uniform(0, 0.6, (self.hosts, 3))  # background

    def log_slow_down(self, weights):
        """log10 of the objective for rows of `weights`."""
        return self.place(weights)[0]

    def placement(self, params):
        """The host of each server, as a text."""
        at = self.place(np.array([[params[p["name"]] for p in self.space]], float))[1]
        return " ".join(str(host[0]) for host in at)

    def place(self, weights):
        """The same, and the host of each server (rows) for each of `weights`."""
        rows = np.arange(len(weights))
        features = np.repeat(self.features[None], len(weights), 0)
        load = np.repeat(self.load[None], len(weights), 0)
        at = []
        for i, taken in enumerate(self.taken):
            low, high = features.min(1, keepdims=True), features.max(1, keepdims=True)
            host = np.argmax(((features - low) / (high - low) * weights[:, None]).sum(2), 1)
            features[rows, host] -= taken
            load[rows, host] += self.want[i]
            at.append(host)
        total = np.zeros(len(weights))
        for i, host in enumerate(at):
            others = load[rows, host] - self.want[i]
            total += self.speed[i, host] + 0.4 * others @ self.want[i]
        return total, at

    def search_least(self):
        """log10 of the smallest objective of 200,000 random directions and of the surroundings of the best."""
        rng = np.random.default_rng(0)
        weights = rng.standard_normal((200_000, len(self.space)))
        values = self.log_slow_down(weights)
        best = weights[np.argsort(values)[:20]]
        near = np.repeat(best, 2_000, 0)
        near = near + 0.3 * np.linalg.norm(near, axis=1, keepdims=True) * rng.standard_normal(near.shape)
        return min(values.min(), self.log_slow_down(near).min())

    def _log(self, params):
        return float(self.log_slow_down(np.array([[params[p["name"]] for p in self.space]], float))[0])

    def regret(self, params):
        return max(10 ** self._log(params) - 10**self.least, 0.0)

    def evaluate(self, params, rng):
        noise = self.noise_sd * rng.standard_normal() if self.noise_sd else 0.0
        return float(10 ** (self._log(params) + noise))


class Throughput(Placement):
    """The same as a rate, which is to be as large as possible: the best values are powers of ten above the usual ones."""

    goal = "maximize"

    def regret(self, params):
        return max(10**-self.least - 10 ** -self._log(params), 0.0)

    def evaluate(self, params, rng):
        return 1 / super().evaluate(params, rng)


def stair_problems():
    dev = {p.name: p for p in problems.dev_problems()}
    out = []
    for name, count, least in (("levy-8d", 8, least_by_axis), ("styblinski-tang-8d", 8, least_by_axis), ("hartmann-6d", 4, least_of_all)):
        p = dev[name]
        out.append(FunctionProblem(f"{name}-cells", cells(p.fn, p.space, count), p.space, least(p.fn, p.space, count)))
    p = dev["rosenbrock-8d"]
    out.append(FunctionProblem("rosenbrock-8d-levels", levels(p.fn), p.space, 1.0))
    out += [
        Placement("placement-4d", 4, 5, 11, 0.5611540252151078),
        Placement("placement-8d", 8, 6, 12, 1.0514618584158004),
        Placement("placement-8d-noisy", 8, 6, 13, 1.7291454232186134, noise_sd=0.05),
        Throughput("throughput-8d", 8, 6, 12, 1.0514618584158004),
        Throughput("throughput-8d-noisy", 8, 6, 13, 1.7291454232186134, noise_sd=0.05),
    ]
    return out
