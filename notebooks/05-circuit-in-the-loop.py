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
# # How much accuracy does the circuit cost, and what wins it back?
#
# A network reads handwritten digits pixel by pixel, in a random order. What it knows of the past is in the 24 states of
# its memory, and in 32 hidden units. Here that memory becomes a ladder of 24 op-amp integrators, fully differential,
# with resistors, capacitors and op-amps that deviate; the network stays as it was trained. What is lost? What helps?

# %%
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import Markdown

from lmu_analog import Design
from lmu_analog.experiments import frame
from lmu_analog.networks.learning.tasks import digits
from lmu_analog.networks.loop.calibration import calibrated
from lmu_analog.networks.loop.forward import outputs
from lmu_analog.networks.loop.memories import Draws, drawn, places
from lmu_analog.networks.loop.score import scores
from lmu_analog.networks.weights import network_from_npz
from lmu_analog.theory.first_order import first_order

# %% [markdown]
# ## The stored run
#
# Five networks, twenty circuits each and at every mismatch, which is the standard deviation of every element.
# *Circuit*: the network as it is. *Calibrated*: every circuit has a readout of its own, fitted on 300 training
# images. *Aware*: the network was trained on, with other circuits in every batch, and meets these for the first time.
# *Both*: aware, and calibrated. `lmu-analog experiment hardware-loss` makes it again.

# %%
run = frame.stored("hardware-loss")
result, names = run["result"], {"circuit": "C3", "calibrated": "C0", "aware": "C1", "both": "C2"}
levels = result["digits"]
table = pd.DataFrame(
    {
        f"{100 * float(sigma):g} %": {
            "software": f"{row['software']:.2f}",
            **{n: f"{row[n]:.2f}" for n in names},
            "lost as it is": f"{row['loss']['circuit']['mean']:.2f}",
            "95 % interval": "{low:.2f} to {high:.2f}".format(**row["loss"]["circuit"]),
        }
        for sigma, row in levels.items()
    }
)
print(run["command"], f"({run['date']}, {run['seconds'] / 60:.0f} minutes)")
table.rename_axis(columns="accuracy (%) at mismatch")

# %%
deviated = [s for s in levels if s != "0"]
x = [100 * float(s) for s in deviated]
figure, (left, right) = plt.subplots(1, 2, figsize=(11, 3.8), layout="constrained", dpi=72)
left.axhline(levels["0"]["software"], color="0.6", linestyle=":", label="software")
for name, colour in names.items():
    spread = [levels[s]["spread"][name] for s in deviated]
    left.plot(x, [s["mean"] for s in spread], "o-", color=colour, label=name)
    left.fill_between(
        x, [s["p05"] for s in spread], [s["p95"] for s in spread], color=colour, alpha=0.12, lw=0
    )
left.set(xlabel="Mismatch, sigma (%)", ylabel="Accuracy (%); band: 5 to 95 % of circuits", xscale="log")
left.set_xticks(x, [f"{v:g}" for v in x])
left.minorticks_off()
left.legend(frameon=False, loc="lower left")
for place, name in enumerate(names):
    accuracy = np.array(levels["0.05"]["circuits"][name])
    across = place + np.linspace(-0.28, 0.28, len(accuracy))
    for k, circuits in enumerate(accuracy):
        right.plot(np.full(len(circuits), across[k]), circuits, ".", color=names[name], alpha=0.5)
right.set_xticks(range(len(names)), names)
right.set(ylabel="Accuracy (%)", title="5 %: a column a network, a dot a circuit")
plt.show()

# %% [markdown]
# Networks differ in software too; the interval is of what one and the same network loses. The whole cell as a circuit,
# with resistors for its weights, is in the stored run as `cell`: it loses more, as there is more that deviates.

# %%
pd.DataFrame(
    {
        f"{100 * float(s):g} %": {
            "memory": f"{row['circuit']:.2f}",
            "whole cell, single-ended": f"{row['cell']:.2f}",
        }
        for s, row in levels.items()
    }
)

# %% [markdown]
# ## One image, many circuits
#
# The first of the five networks, live, at 5 %. After every pixel the network could be asked. Dark: software. Red:
# twenty circuits. Blue: the same circuits, calibrated.

# %%
network = network_from_npz(frame.STORED / "digits-network.npz")
task = digits(0)
training = task.train.x[:300]
deviation = {"tolerance": "5 %", "distribution": "gauss"}
design = Design(
    order=24,
    theta="6.4 ms",  # a pixel lasts 0.1 ms
    bandwidth="937.5 Hz",
    family="active-rc-differential",
    realization="ladder",
    opamp="OPA2192",
    mismatch={"resistor": deviation, "capacitor": deviation, "opamp": deviation},
)
memories = drawn(network, Draws(design, 7, range(20)), places(network, design, training))
mended = calibrated(network, memories, training)

always, image = replace(network, readout="every"), 4
pixels, digit = task.test.x[image : image + 1], int(task.test.y[image])
runs = {"software": None, "as they are": memories, "calibrated": mended}
evidence = {said: outputs(always, pixels, given)[:, 0] for said, given in runs.items()}
lead = {said: e[..., digit] - np.delete(e, digit, axis=-1).max(axis=-1) for said, e in evidence.items()}
figure, axes = plt.subplots(1, 2, figsize=(11, 3.4), layout="constrained", dpi=72, sharey=True)
for ax, said, colour in zip(axes, ("as they are", "calibrated"), ("C3", "C0"), strict=True):
    ax.plot(lead[said].T, color=colour, alpha=0.35, lw=0.9)
    ax.plot(lead["software"][0], color="0.2", lw=2)
    ax.axhline(0, color="0.7", lw=0.8)
    ax.set(xlabel="Pixels read", title=f"{said}: a {digit}")
axes[0].set_ylabel("Lead of the right digit (logits)")
plt.show()

# %% [markdown]
# ## How much must be measured to calibrate?
#
# A readout has 24 by 24 numbers and a constant, and an image gives 64 readings of 24 states. Below, the accuracy is
# that on 120 images of the test.

# %%
counts = [1, 3, 10, 30, 100, 300]
images, truth = task.test.x[:120], task.test.y[:120]
accuracy = [
    100 * scores(outputs(network, images, calibrated(network, memories, training[:n])), truth, "classes")
    for n in counts
]
software = 100 * float(scores(outputs(network, images), truth, "classes")[0])
before = 100 * scores(outputs(network, images, memories), truth, "classes")
figure, ax = plt.subplots(figsize=(6.5, 3.2), layout="constrained", dpi=72)
ax.errorbar(
    counts, [a.mean() for a in accuracy], [a.std() for a in accuracy], fmt="o-", capsize=3, label="calibrated"
)
ax.axhline(software, color="0.6", linestyle=":", label="software")
ax.axhline(before.mean(), color="C3", linestyle="--", label="as they are")
ax.set(xscale="log", xlabel="Images that a readout is fitted to", ylabel="Accuracy (%), 20 circuits of 5 %")
_ = ax.legend(frameon=False)

# %% [markdown]
# ## Is it the circuit that counts?
#
# The same network on other circuits of 5 %, as they are, and what theory says beforehand of the error of their windows.

# %%
kinds = [
    ("active-rc-differential", "ladder"),
    ("active-rc-differential", "cap-feedforward"),
    ("active-rc", "ladder"),
    ("active-rc", "legendre"),
]
found = {}
for family, realization in kinds:
    other = design.replace(family=family, realization=realization)
    drawn_here = drawn(network, Draws(other, 7, range(20)), places(network, other, training))
    figures = 100 * scores(outputs(network, images, drawn_here), truth, "classes")
    found[f"{family}, {realization}"] = {
        "window error by theory (%)": f"{100 * first_order(other).predicted_rms:.0f}",
        "accuracy (%)": f"{figures.mean():.1f}",
        "worst of 20": f"{figures.min():.1f}",
    }
pd.DataFrame(found).transpose()

# %% [markdown]
# ## A series instead of classes
#
# The Mackey-Glass series 15 steps ahead, four layers of memories of order 10: the NRMSE. A figure to many digits feels
# mismatch long before a class does.

# %%
pd.DataFrame(
    {
        f"{100 * float(s):g} %": {n: f"{row[n]:.4f}" for n in ("software", *names)}
        for s, row in result["mackey-glass"].items()
    }
)

# %%
one, five = levels["0.01"], levels["0.05"]
spice, published = result["ngspice"], result["published"]
lost = {n: five["loss"][n]["mean"] for n in names}
Markdown(
    f"**Answer.** Elements that deviate by 1 % cost {one['loss']['circuit']['mean']:.2f} points of accuracy "
    f"({one['loss']['circuit']['low']:.2f} to {one['loss']['circuit']['high']:.2f}); a published analog state-space "
    f"model lost {published['loss']} points on another task, without mismatch. At 5 % it is {lost['circuit']:.1f} "
    f"points. A readout for every circuit leaves {lost['calibrated']:.1f} of them; fitted to {counts[2]} images, live, "
    f"it left {software - accuracy[2].mean():.1f}. Training with mismatch needs no measurement and leaves "
    f"{lost['aware']:.1f}; both together leave {lost['both']:.1f}. ngspice told {spice['same']} of {spice['images']} "
    "images as the exact engine does."
)
