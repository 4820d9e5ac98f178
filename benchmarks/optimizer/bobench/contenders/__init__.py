"""Contender registry: name -> (module, class, keyword arguments, virtualenv tag or None).

Modules are imported only when a contender is made, so a virtualenv needs just the library
of the contenders it runs.
"""

from __future__ import annotations

import importlib

REGISTRY = {
    "random": ("simple", "Random", {}, None),
    "sobol": ("simple", "Sobol", {}, None),
    "lhs": ("simple", "Lhs", {}, None),
    "bayesopt": ("bayesopt", "BayesOpt", {"acq": None}, "main"),
    "bayesopt-ei": ("bayesopt", "BayesOpt", {"acq": "ei"}, "main"),
    "optuna-tpe": ("optuna_", "Optuna", {"sampler": "tpe"}, "main"),
    "optuna-cmaes": ("optuna_", "Optuna", {"sampler": "cmaes"}, "main"),
    "optuna-gp": ("optuna_", "Optuna", {"sampler": "gp"}, "main"),
    "botorch-logei": ("botorch_", "BoTorch", {}, "main"),
    "botorch-turbo": ("botorch_", "Turbo", {}, "main"),
    "smac-hpo": ("smac_", "Smac", {"facade": "hpo"}, "main"),
    "smac-bb": ("smac_", "Smac", {"facade": "bb"}, "main"),
    "skopt": ("skopt_", "Skopt", {}, "main"),
    "egobox": ("egobox_", "Egobox", {}, "main"),
    "ax": ("ax_", "Ax", {}, "ax"),
    "hebo": ("hebo_", "Hebo", {}, "hebo"),
    "vizier": ("vizier_", "Vizier", {}, "vizier"),
}


def venv_tag(name):
    return REGISTRY[name][3] if name in REGISTRY else None


def make(name, space, goal, seed, budget, workers=1, stdio=None):
    """stdio: {name: command line} of external contenders."""
    if stdio and name in stdio:
        from .stdio import Stdio

        return Stdio(space, goal, seed, budget, workers, command=stdio[name])
    module, cls, kw, _ = REGISTRY[name]
    m = importlib.import_module(f"{__name__}.{module}")
    return getattr(m, cls)(space, goal, seed, budget, workers, **kw)
