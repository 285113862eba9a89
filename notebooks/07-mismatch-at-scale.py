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
# # How many circuits must I simulate?
#
# A memory of order 6 with 1 % parts. Before a board is ordered one wants to know the median error, the p95, the
# yield, and which parts deserve better tolerance. How many simulated circuits does each of these cost? Perhaps none?

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import Markdown

from lmu_analog import Design, monte_carlo
from lmu_analog.ensembles.comparison import compare, predict
from lmu_analog.ensembles.high_sigma import high_sigma
from lmu_analog.ensembles.yields import counts as count_samples
from lmu_analog.ensembles.yields import percentiles, yield_within
from lmu_analog.output import plots
from lmu_analog.theory.first_order import first_order
from lmu_analog.theory.quadratic import quadratic_form, quantile
from lmu_analog.theory.sensitivity import elements, tighten

design = Design(
    order=6, theta="1 ms", bandwidth="1 kHz", mismatch={"resistor": "1 %", "capacitor": "1 %"}, nrmse="2.5 %"
)

# %% [markdown]
# ## What a number of circuits tells
#
# One run of 4096 circuits, cut short at smaller numbers. The bars are 95 % intervals, which hold whatever the
# distribution is: of percentiles by order statistics, of the yield by Clopper and Pearson. At 64 circuits the p95
# has no such interval yet.

# %%
run = monte_carlo(design, 4096, seed=1)
counts = [64, 128, 256, 512, 1024, 2048, 4096]
told = {n: percentiles(run.isel(sample=slice(n))) for n in counts}
good = {n: yield_within(run.isel(sample=slice(n)), design.nrmse) for n in counts}

figure, (left, right) = plt.subplots(1, 2, figsize=(11, 3.4), layout="constrained", dpi=72)
for key, colour in (("median", "#0072B2"), ("p95", "#D55E00")):
    middle = 100 * np.array([told[n][key] for n in counts])
    ends = 100 * np.array([[told[n][f"{key}_low"], told[n][f"{key}_high"]] for n in counts], dtype=float)
    left.errorbar(counts, middle, np.abs(ends.T - middle), fmt="o-", color=colour, capsize=3, label=key)
left.set(xscale="log", xlabel="Circuits", ylabel="Window NRMSE (%)", xticks=counts, xticklabels=counts)
left.legend()
middle = 100 * np.array([good[n].value for n in counts])
ends = 100 * np.array([[good[n].low, good[n].high] for n in counts])
right.errorbar(counts, middle, np.abs(ends.T - middle), fmt="o-", color="#009E73", capsize=3)
_ = right.set(xscale="log", xlabel="Circuits", ylabel=f"Yield within {100 * design.nrmse:g} % (%)")
right.set_xticks(counts, counts)
right.minorticks_off()
left.minorticks_off()

# %% [markdown]
# ## Samples that are spread evenly
#
# Latin hypercubes and scrambled Sobol points fill the space of mismatch more evenly than independent draws. Here is
# the standard error of the mean square error over twenty seeds of 256 circuits each.

# %%
seeds = range(20)
estimates = {
    plan: np.array(
        [float((monte_carlo(design, 256, seed=s, sampling=plan).window_nrmse ** 2).mean()) for s in seeds]
    )
    for plan in ("random", "latin", "sobol")
}
spread = {plan: values.std(ddof=1) / values.mean() for plan, values in estimates.items()}
worth = {plan: (spread["random"] / s) ** 2 for plan, s in spread.items()}
pd.DataFrame(
    {"standard error (%)": 100 * pd.Series(spread), "worth as many random ones": pd.Series(worth)}
).round(2)

# %% [markdown]
# ## No samples at all
#
# To first order the squared error is a quadratic form of the draws, and its distribution (a generalised chi-square)
# needs one adjoint solve a tone and no circuit. It is right as long as mismatch is small.

# %%
theory = first_order(design)
expected, measured = predict(theory, design.nrmse), percentiles(run)
form = quadratic_form(theory)
at = np.linspace(0.005, 0.995, 100)
figure, ax = plt.subplots(figsize=(8, 3.2), layout="constrained", dpi=72)
ax.plot(100 * np.sort(run.window_nrmse), np.linspace(0, 1, run.sizes["sample"]), "C0", label="4096 circuits")
ax.plot([100 * np.sqrt(quantile(form, p)) for p in at], at, "k--", label="quadratic form, no circuit")
ax.axvline(100 * design.nrmse, color="C3", linewidth=1, label="limit")
ax.set(xlabel="Window NRMSE (%)", ylabel="Fraction of circuits")
_ = ax.legend()

# %%
print(f"error added by mismatch (rms), Monte Carlo over theory: {compare(run, theory).ratio:.3f}")
pd.DataFrame(
    {
        "theory (%)": [100 * v for v in (expected.median, expected.p95, expected.good)],
        "4096 circuits (%)": [100 * v for v in (measured["median"], measured["p95"], good[4096].value)],
    },
    index=["median NRMSE", "p95 NRMSE", "yield"],
).round(2)

# %% [markdown]
# Where does it stop? The same memory with more states and a dense matrix, at ever wider tolerances, 512 circuits
# each. Unstable circuits are the first sign.

# %%
tolerances = [0.5, 1, 2, 5, 10, 20]
dense = design.replace(order=12, realization="legendre")
rows = []
for percent in tolerances:
    wide = dense.replace(mismatch={"resistor": f"{percent} %", "capacitor": f"{percent} %"})
    some, first = monte_carlo(wide, 512, seed=1), first_order(wide)
    p95, unstable = percentiles(some)["p95"], count_samples(some)["unstable"]
    rows.append((percent, 100 * p95, p95 / predict(first).p95, unstable, compare(some, first).flag is None))
headings = ["tolerance (%)", "p95 (%)", "p95 over theory", "unstable", "theory holds"]
pd.DataFrame(rows, columns=headings).round(3)

# %% [markdown]
# ## A few bad circuits in a million
#
# A strict limit is missed so seldom that plain sampling would need millions of circuits to see it. Importance
# sampling lets theory point at where circuits fail, draws there, and weighs what it finds.

# %%
strict = design.replace(nrmse="4 %")
found = high_sigma(strict, samples=1000, seed=1)
plain = round(
    1.96**2 * (1 - found.failure) / found.failure / (0.5 * (found.high - found.low) / found.failure) ** 2
)
seen = 1 - yield_within(run, strict.nrmse).value
print(f"importance sampling, 1000 circuits: {1e6 * found.failure:.3g} failures in a million")
print(
    f"  95 % interval {1e6 * found.low:.3g} to {1e6 * found.high:.3g}; theory alone {1e6 * found.predicted:.3g}"
)
print(f"plain sampling, 4096 circuits: {1e6 * seen:.3g} in a million")
print(f"plain sampling as exact as that: {plain:,} circuits")

# %% [markdown]
# ## Which parts to tighten
#
# The same adjoint solve shares the blame out. A part whose share is large is worth a better tolerance.

# %%
shares = elements(design, theory)
figure, ax = plt.subplots(figsize=(8, 4), layout="constrained", dpi=72)
_ = plots.plot_elements(shares.isel(element=slice(12)), ax)

# %%
left_over = tighten(shares)
print("error added by mismatch (rms), all parts as they are:", f"{100 * theory.predicted_rms:.2f} %")
for name, rms in zip(left_over.element.values, left_over.rms.values, strict=True):
    print(f"  with {name} exact too: {100 * rms:.2f} %")
for kind, rms in zip(left_over.kind.values, left_over.class_rms.values, strict=True):
    print(f"  with every {kind} exact: {100 * rms:.2f} %")

# %%
near = next(
    n
    for n in counts
    if told[n]["p95_high"] and told[n]["p95_high"] - told[n]["p95_low"] < 0.1 * told[n]["p95"]
)
Markdown(
    f"**Answer.** For 1 % parts, none: theory gives the p95 within "
    f"{100 * abs(measured['p95'] / expected.p95 - 1):.1g} % of what 4096 circuits give, the yield within "
    f"{100 * abs(good[4096].value - expected.good):.1g} percentage points, and says which parts matter. "
    f"To see it without theory, {near} circuits bring the interval of the p95 below a tenth of its value; where "
    "tolerances are so wide that theory is flagged, they are needed. "
    f"A mean needs {worth['sobol']:.0f} times fewer circuits with Sobol points, here "
    "with some forty parts; the gain fades with more. "
    f"Failures of {1e6 * found.failure:.1f} in a million take 1000 guided circuits in place of {plain:,}, and there "
    f"theory alone ({1e6 * found.predicted:.1f}) is not enough."
)
