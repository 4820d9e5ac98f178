# %% [markdown]
# An experiment from a notebook: submit, wait, load the results into pandas, plot, go on.
#
# The cells are those of Jupyter, VS Code and Spyder (`# %%`); as a script, `python3 examples/notebook.py`, it runs from top to
# bottom. It wants pandas and matplotlib, `autoopt` in the path, and a coordinator: `AUTOOPT_SERVER` and
# `AUTOOPT_TOKEN_FILE` say which, as everywhere. All it knows of the system is what `--json` prints and the export's CSV.

# %%
import io
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import matplotlib
import pandas as pd

if "ipykernel" not in sys.modules:
    matplotlib.use("Agg")  # without a notebook there is no window


def autoopt(*arguments):
    """What `autoopt ARGUMENTS` prints; what is wrong is in the exception."""
    done = subprocess.run(["autoopt", *arguments], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr.strip())
    return done.stdout


# %% [markdown]
# Submit, with a budget that is not meant to be used up: the notebook says when it is enough. The experiment does not need the
# notebook; it goes on when this is closed.

# %%
text = Path("examples/noop.toml").read_text().replace("trials = 15", "trials = 1000")
with tempfile.TemporaryDirectory() as folder:
    file = Path(folder, "noop.toml")
    file.write_text(text)
    x = json.loads(autoopt("submit", str(file), "--json"))["id"]


def wait_for(count):
    """Waits until so many trials are over, or the experiment is."""
    while True:
        now = json.loads(autoopt("status", x, "--json"))
        if now["phase"] == "ended" or sum(now["outcomes"].values()) >= count:
            return now
        time.sleep(0.2)


wait_for(10)
autoopt("pause", x)

# %% [markdown]
# Load what is known into pandas.


# %%
def load():
    """A row for each trial of the search that was measured, with the best so far."""
    table = pd.read_csv(io.StringIO(autoopt("export", x, "--format", "csv")))
    table = table[(table["number"] > 0) & (table["outcome"] == "measured")].sort_values("number")
    return table.assign(best=table["objective"].cummax())


trials = load()
parameters = [column for column in trials if column.startswith("parameter.")]
print(trials[["number", *parameters, "objective", "best"]].tail().to_string(index=False))

# %% [markdown]
# Go on, with a hunch of one's own: it is a trial like any other. Then end the search in order.

# %%
middle = trials.nlargest(3, "objective")[parameters].mean()
values = [f"{name.removeprefix('parameter.')}={round(value)}" for name, value in middle.items()]
autoopt("trial", "submit", x, *values, "--note", "between the best three")
autoopt("resume", x)
wait_for(30)
autoopt("stop", x)
autoopt("watch", x)
standing = json.loads(autoopt("status", x, "--json"))

# %% [markdown]
# Plot it.

# %%
trials = load()
axes = trials.plot(x="number", y="objective", kind="scatter", label="measured")
trials.plot(x="number", y="best", drawstyle="steps-post", ax=axes, label="best so far")
for cluster, value in standing["baseline"].items():
    axes.axhline(value, linestyle="--", label=f"baseline on {cluster}")
axes.legend()
axes.figure.savefig("notebook.png")
print(f"{len(trials)} trials, the best has {trials['objective'].max():.6g}; notebook.png shows them")
