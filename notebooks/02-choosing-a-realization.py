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
# # Which realization should implement my memory?
#
# The same memory can be built in many ways. All have the same transfer functions on paper; they differ in the
# number of parts, in what mismatch does, and in whether a mismatched circuit stays stable. Here are our own runs.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import xarray as xr

from lmu_analog import Design, build, legendre, monte_carlo, realize
from lmu_analog.circuits.components import Capacitor, OpAmp, Resistor
from lmu_analog.memory.legendre import usable_band
from lmu_analog.theory.coefficients import added_error, count_unstable

names = ["legendre", "balanced", "cap-feedforward", "ladder", "bus-ladder", "rlc-ladder"]
orders = [3, 6, 12, 24]
colours = dict(zip(names, ["#000000", "#E69F00", "#0072B2", "#009E73", "#CC79A7", "#D55E00"], strict=True))

# %% [markdown]
# ## Mismatch of the coefficients
#
# Every coefficient deviates by 1 % of its value, independently. The added window error is measured over the band
# where the ideal memory is 1 % wrong, so higher orders also work harder. The dashed line is the lower bound that no
# circuit with one independent error an integrator can beat.

# %%
errors = {
    name: [
        100
        * np.sqrt(
            np.mean(
                added_error(realize(legendre(d), name), bandwidth=usable_band(d), sigma=0.01, samples=200)
                ** 2
            )
        )
        for d in orders
    ]
    for name in names
}
bound = [100 * 0.01 * 2 * np.pi * usable_band(d) / (3 * np.sqrt(d)) for d in orders]

figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
for name in names:
    ax.loglog(orders, errors[name], "o-", color=colours[name], label=name)
ax.loglog(orders, bound, "k--", label="lower bound")
ax.set(xlabel="Order d", ylabel="Added window error (% per 1 %)", xticks=orders, xticklabels=orders)
ax.legend(loc="upper left")
ax.grid(alpha=0.3)

# %% [markdown]
# The dense matrix (`legendre`; any diagonal scaling of it is the same) grows fastest. Balanced coordinates cure
# that, but keep all the resistors.

# %% [markdown]
# ## What it costs in parts

# %%
realizations = ["legendre", "balanced", "cap-feedforward", "ladder", "bus-ladder"]
kinds = {"resistors": Resistor, "capacitors": Capacitor, "op-amps": OpAmp}
circuits = {(name, d): build(Design(order=d, realization=name)) for name in realizations for d in orders}
parts = xr.DataArray(
    [
        [
            [sum(isinstance(c, kind) for c in circuits[name, d].components) for kind in kinds.values()]
            for d in orders
        ]
        for name in realizations
    ],
    coords={"realization": realizations, "order": orders, "part": list(kinds)},
    dims=["realization", "order", "part"],
)
parts.sel(order=24).to_pandas()

# %%
total = parts.sum("part")
figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
for name in realizations:
    ax.loglog(orders, total.sel(realization=name), "o-", color=colours[name], label=name)
ax.set(xlabel="Order d", ylabel="Components", xticks=orders, xticklabels=orders)
ax.legend()
ax.grid(alpha=0.3)

# %% [markdown]
# ## Does a mismatched circuit stay stable?
#
# Two hundred sets of coefficients at order 24, at growing spread.

# %%
spreads = [0.02, 0.05, 0.1, 0.2]
unstable = {
    name: [count_unstable(realize(legendre(24), name), sigma=s, samples=200) / 2 for s in spreads]
    for name in names
}
figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
for name in names:
    ax.plot([100 * s for s in spreads], unstable[name], "o-", color=colours[name], label=name)
ax.set(xlabel="Spread of every coefficient (%)", ylabel="Unstable circuits (%)")
ax.legend()
ax.grid(alpha=0.3)

# %% [markdown]
# ## And the whole circuit?
#
# Coefficients are not components: inverters deviate too, and a resistor and a capacitor share a time constant.
# Order 12, 1 % resistors and capacitors (three sigma), ideal op-amps, whole circuits.

# %%
design = Design(order=12, theta="1 ms", mismatch={"resistor": "1 %", "capacitor": "1 %"})
medians = [
    float(monte_carlo(design.replace(realization=name), 300).window_nrmse.median()) for name in realizations
]
pd.Series(100 * np.array(medians), index=realizations, name="median window NRMSE (%)").round(2).to_frame()

# %% [markdown]
# ## So which?
#
# - A small memory (up to order 6): take the plain matrix, or cap-feedforward with fewer parts; all are alike.
# - From order 12 on: cap-feedforward or a ladder. They need a few parts a state; at order 12
#   mismatch adds about a third less, at order 24 less than half.
# - At 10 % parts or more, only the ladders are safe to be stable.
