# %% [markdown]
# # An experiment from a notebook
# Submit it, look at its trials with pandas while it runs, add a trial by hand, give it more trials, plot.
#
# Open this file in Jupyter (by jupytext) or VS Code, or run it as it is: `python3 examples/notebook.py`. It needs pandas and matplotlib,
# and the services: `deploy/local-up examples/quadratic.commands.toml`.

# %%
import json
import os
import time
import tomllib
import urllib.request

import matplotlib.pyplot as plt
import pandas as pd

SERVER = os.environ.get("AUTOOPT_SERVER", "http://127.0.0.1:7771")
FILE = os.environ.get("AUTOOPT_EXPERIMENT", "examples/quadratic.toml")
PLOT = os.environ.get("AUTOOPT_PLOT", "trials.png")


def call(path, body=None):
    """Asks the coordinator; its API is described at /openapi.json."""
    request = urllib.request.Request(SERVER + path, method="GET" if body is None else "POST")
    if "AUTOOPT_TOKEN_FILE" in os.environ:
        with open(os.environ["AUTOOPT_TOKEN_FILE"]) as file:
            request.add_header("authorization", "Bearer " + file.read().strip())
    if body is not None:
        request.add_header("content-type", "application/json")
        request.data = json.dumps(body).encode()
    try:
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as refused:
        raise SystemExit(f"{path}: {refused.read().decode()}") from None


# %% Submit: the experiment's file, with another name and budget.
with open(FILE, "rb") as file:
    spec = tomllib.load(file)
name = spec["name"] = f"notebook-{int(time.time())}"
spec["budget"]["trials"] = 12
call("/v1/experiments", spec)


# %% Look: every trial that was measured, as a table.
def trials():
    rows = call(f"/v1/experiments/{name}/trials?limit=1000")["trials"]
    table = pd.DataFrame(rows)
    table = table[(table["state"] == "ended") & (table["outcome"] == "measured") & (table["number"] > 0)]
    values = pd.DataFrame(list(table["parameters"]), index=table.index)
    return pd.concat([table[["number", "kind", "objective"]], values], axis=1).sort_values("number")


def wait(count):
    """Until so many trials have ended, or the experiment has."""
    while True:
        experiment = call(f"/v1/experiments/{name}")
        if sum(experiment["outcomes"].values()) >= count or experiment["phase"] == "ended":
            return experiment
        time.sleep(0.2)


wait(6)
sign = -1 if "minimize" in spec["objective"] else 1
best = trials().sort_values("objective", key=lambda column: sign * column).iloc[-1]
print(f"the best of the first trials is trial {best['number']} with {best['objective']}")

# %% Act: the same values once more, and eight trials beyond the budget.
rows = call(f"/v1/experiments/{name}/trials?limit=1000")["trials"]
again = next(row["parameters"] for row in rows if row["number"] == best["number"])
call(f"/v1/experiments/{name}/trials", {"parameters": again, "note": "once more, from the notebook"})
call(f"/v1/experiments/{name}/change", {"trials": 20})

# %% Plot: every trial, and the best so far.
experiment = wait(20)
table = trials()
print(table.describe().loc[["mean", "min", "max"]])
so_far = table["objective"].cummax() if sign > 0 else table["objective"].cummin()
figure, axes = plt.subplots()
axes.plot(table["number"], table["objective"], "o", label="measured")
axes.step(table["number"], so_far, where="post", label="best so far")
for cluster, value in experiment["baseline"].items():
    axes.axhline(value, linestyle="--", color="grey", label=f"baseline on {cluster}")
axes.set_xlabel("trial")
axes.set_ylabel("objective")
axes.legend()
figure.savefig(PLOT)
print(f"{len(table)} trials, plotted in {PLOT}")
