# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Which circuit should I build?
#
# A window of 2 ms of a signal of 300 Hz, wrong by no more than 5 % in 95 of 100 circuits. Which order, which
# realization, which op-amp, which parts? `lmu-analog optimize` looks at all of them; this is the same in Python.

# %%
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import Markdown

from lmu_analog.codesign.answers import answer
from lmu_analog.codesign.requirement import requirement_of
from lmu_analog.codesign.search import search
from lmu_analog.codesign.standing import standing

asked = {
    "memory": {"theta": "2 ms"},
    "signal": {"bandwidth": "300 Hz"},
    "need": {"nrmse": "5 %", "yield": "95 %", "cost": 3.0},
    "conditions": {"supply": "5 V"},
    "allow": {
        "orders": [4, 5],
        "families": ["active-rc"],
        "realizations": ["ladder"],
        "opamps": ["TL072", "LM358", "OPA1678", "OPA2192", "LT1013"],
        "values": ["E24"],
    },
}
requirement = requirement_of(asked, Path())
found = search(requirement)
pd.Series(found.counts, name="candidates").to_frame()

# %% [markdown]
# Every candidate that can be built has a p95 by the law, a cost and a power. Those of the front are not beaten in
# error, cost, power and number of parts by any other; they alone were simulated, 5000 circuits each.

# %%
grid = found.grid
figure, ax = plt.subplots(figsize=(7, 3.6), layout="constrained", dpi=72)
known = np.isfinite(grid.p95) & (grid.cost < 12.0)
ax.plot(grid.cost[known], 100 * grid.p95[known], ".", color="#BBBBBB", markersize=2, label="all candidates")
points = ax.scatter(
    grid.cost[found.front], 100 * grid.p95[found.front], c=1e3 * grid.power[found.front], s=36, zorder=3
)
winner = found.winner
ax.plot(grid.cost[winner], 100 * grid.p95[winner], "o", mfc="none", mec="#D55E00", ms=13, label="the winner")
ax.axhline(5.0, color="k", lw=0.8)
ax.set(
    xlabel="Cost (middles of price classes)", ylabel="p95 of the window NRMSE (%)", yscale="log", ylim=(1, 30)
)
figure.colorbar(points, label="Power (mW)")
_ = ax.legend()

# %% [markdown]
# ## What the exact engine says of them
#
# The law is first-order theory; the ensemble decides. Members that do not hold have left the front already.

# %%
told = answer(found, simulator=False)
rows = [
    {
        "order": one.design.order,
        "op-amp": one.design.opamp,
        "R": f"{100 * one.made_of['resistor']:g} %",
        "C": f"{100 * one.made_of['capacitor']:g} %",
        "law p95 (%)": 100 * one.seen.law_p95,
        "exact p95 (%)": 100 * one.seen.p95,
        "exact yield (%)": 100 * one.seen.good,
        "cost": one.figures["cost"],
        "power (mW)": 1e3 * one.figures["power"],
    }
    for one in told.front
]
pd.DataFrame(rows).sort_values("cost").head(8).style.format(precision=2)

# %%
causes = pd.Series({name: 100 * np.sqrt(x) for name, x in told.winner.causes.items() if x > 0.0})
causes.rename("rms error of the winner by cause (%)").to_frame().style.format(precision=2)

# %% [markdown]
# ## Where does my own favourite stand?

# %%
mine = standing(found, {"order": "5", "opamp": "TL072"})
Markdown("\n".join(f"- {line}" for line in mine.lost))

# %% [markdown]
# ## And if nothing does it?
#
# With a limit of 0.5 % no circuit of these parts is left. The answer says what binds, and tries what would help; a
# change counts only if the exact engine agrees.

# %%
few = {**asked["allow"], "opamps": ["OPA2192"]}
tight = requirement_of({**asked, "need": {"nrmse": "0.5 %"}, "allow": few}, Path())
nothing = answer(search(tight), simulator=False)
pd.DataFrame(
    [
        {"change": one.change, "p95 (%)": 100 * one.p95, "keeps all limits": one.feasible}
        for one in nothing.relax
    ]
).style.format(precision=2)

# %%
best = told.winner
Markdown(
    f"**Answer.** {told.sentence[0].upper()}{told.sentence[1:]}. By the law it was expected to keep "
    f"{100 * best.seen.law_p95:.2f} % and keeps {100 * best.seen.p95:.2f} %. For 0.5 %: {nothing.sentence}."
)
