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
# # How much can calibration win back?
#
# Eight states keep one and a half cycles of the highest tone to 1 %, on paper. Parts of 3 % (three sigma) spoil that.
# Every board can be measured before it is used: its readout can be fitted, a few of its elements trimmed, or all
# of them. What is each worth, does it last when input and temperature change, and how much hardware does it take?

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import Markdown

from lmu_analog import Design, monte_carlo
from lmu_analog.analysis.calibration import calibrate
from lmu_analog.analysis.recipes import Settings
from lmu_analog.ensembles.yields import percentiles, yield_within
from lmu_analog.output.calibration import WORDS, plot_calibration

design = Design(
    order=8,
    theta="1 ms",
    realization="cap-feedforward",
    opamp="OPA2192",
    predistort="gbw",
    mismatch={"resistor": "3 %", "capacitor": "3 %", "opamp": "8 %"},
    temperature="60 C",
    drift={"resistor": "25 ppm", "capacitor": "30 ppm"},
    nrmse="4 %",
)

# %% [markdown]
# ## Every method on the same 100 circuits
#
# Methods are fitted at 27 °C to tones spread over the band and tested on another input: the ten tones of the design,
# with all parts at 60 °C in the last columns.

# %%
found = calibrate(design, 100, seed=1)
methods = [str(m) for m in found.calibration.values]
median = {m: percentiles(found.sel(calibration=m))["median"] for m in methods}
good = {m: yield_within(found.sel(calibration=m), design.nrmse) for m in methods}
warm = found.drifted_nrmse.median("sample")
table = pd.DataFrame(
    {
        "median (%)": {m: 100 * median[m] for m in methods},
        "tones of the fit (%)": {
            m: 100 * float(found.fitted_nrmse.sel(calibration=m).median()) for m in methods
        },
        "at 60 °C (%)": {m: 100 * float(warm.sel(calibration=m)) for m in methods},
        f"yield within {100 * design.nrmse:g} % (%)": {m: 100 * good[m].value for m in methods},
        "95 % interval": {m: f"{100 * good[m].low:.1f} to {100 * good[m].high:.1f}" for m in methods},
        "what is done": {m: WORDS[m] for m in methods},
    }
)
table.round(2)

# %%
figure, ax = plt.subplots(figsize=(9, 3.6), layout="constrained", dpi=72)
_ = plot_calibration(found, ax)

# %% [markdown]
# ## Where in the window
#
# The median circuit at every delay. A readout can only recombine what the states still hold; trimming mends the states
# themselves.

# %%
figure, ax = plt.subplots(figsize=(9, 3.2), layout="constrained", dpi=72)
for m in methods:
    ax.plot(found.delay, 100 * found.profile.sel(calibration=m), label=m)
ax.set(xlabel="Delay r (θ)", ylabel="NRMSE, median circuit (%)", xlim=(0, 1), ylim=(0, None))
_ = ax.legend(frameon=False, ncols=2)

# %% [markdown]
# ## How many knobs, how many bits?
#
# `trim` turns a few elements together until the response is right: more knobs help, the first ones most. The
# converters that turn them have bits. `dac` puts a small converter on every element instead.

# %%
knobs, widths, some = [1, 2, 4, 8], [3, 4, 6], 20
by_knobs = [
    100
    * percentiles(
        calibrate(design, some, 1, methods=("trim",), settings=Settings(elements=k)).sel(calibration="trim")
    )["median"]
    for k in knobs
]
by_bits = {
    kind: [
        100
        * percentiles(
            calibrate(design, some, 1, methods=(kind,), settings=Settings(bits=b, trim_bits=b)).sel(
                calibration=kind
            )
        )["median"]
        for b in widths
    ]
    for kind in ("trim", "dac")
}
figure, (left, right) = plt.subplots(1, 2, figsize=(11, 3.2), layout="constrained", dpi=72)
left.plot(knobs, by_knobs, "o-")
left.axhline(100 * median["nominal"], color="0.6", linestyle=":", label="as built")
left.axhline(100 * median["readout"], color="C3", linestyle=":", label="readout of every circuit")
left.set(xlabel="Elements with a knob (trim)", ylabel="Median window NRMSE (%)", ylim=(0, None), xticks=knobs)
left.legend(frameon=False)
right.plot(widths, by_bits["trim"], "o-", label=f"trim, {design.order} elements")
right.plot(widths, by_bits["dac"], "s-", label="dac, every element")
right.set(xlabel="Bits", ylim=(0, None), xticks=widths)
_ = right.legend(frameon=False)

# %% [markdown]
# ## Tighter parts instead?
#
# What tolerance would do the same without any calibration? The same circuits, shrunk.

# %%
tolerances = [3.0, 1.0, 0.3, 0.1]
runs = [
    monte_carlo(
        design.replace(
            mismatch={"resistor": f"{t} %", "capacitor": f"{t} %", "opamp": "8 %"}, temperature=None
        ),
        200,
        1,
    )
    for t in tolerances
]
plain = [100 * percentiles(run)["median"] for run in runs]
print(pd.Series(plain, index=[f"{t:g} %" for t in tolerances], name="median (%)").round(2).to_string())
for m in ("theta", "trim", "dac", "readout"):
    alike = np.interp(100 * median[m], plain[::-1], tolerances[::-1])
    said = (
        f"{alike:.2f} % parts"
        if 100 * median[m] > plain[-1]
        else "more than any parts: it mends truncation too"
    )
    print(f"{m:8} does as much as {said}")

# %% [markdown]
# ## And a dense matrix?
#
# The same memory with 72 coefficients in place of some thirty.

# %%
dense = calibrate(design.replace(realization="legendre"), 100, 1, methods=("readout", "dac"))
others = {m: 100 * percentiles(dense.sel(calibration=m))["median"] for m in ("nominal", "readout", "dac")}
pd.DataFrame({"cap-feedforward (%)": {m: 100 * median[m] for m in others}, "legendre (%)": others}).round(2)

# %%
share = {m: 100 * v for m, v in median.items()}
best = min((m for m in methods if m != "nominal"), key=share.get)
enough = next(b for b, e in zip(widths, by_bits["trim"], strict=True) if e < 1.1 * by_bits["trim"][-1])
parts = np.interp(share["trim"], plain[::-1], tolerances[::-1])
Markdown(
    f"**Answer.** As built, the median is {share['nominal']:.1f} % and {100 * good['nominal'].value:.0f} % of circuits "
    f"are within {100 * design.nrmse:g} %. What knows nothing of the single circuit wins little: one readout for all "
    f"leaves {share['ensemble']:.1f} %, one knob for theta {share['theta']:.1f} %. Trimming {knobs[-1]} elements "
    f"together leaves {share['trim']:.2f} %, as {parts:.1f} % parts would, and {enough} bits do; a 4-bit "
    f"converter on every element leaves {share['dac']:.2f} %. Fitting every circuit's readout takes no extra part and "
    f"leaves {share['readout']:.2f} %, less than perfect parts ({plain[-1]:.2f} %), as it mends truncation too. The "
    f"best, {best}, brings the yield to {100 * good[best].value:.0f} %. What is fitted holds for another input, and at "
    f"60 °C: there {best} leaves {100 * float(warm.sel(calibration=best)):.2f} %."
)
