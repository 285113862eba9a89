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
# # Can spikes and uneven silicon implement the memory?
#
# The memory is six coupled linear equations. Neurons are neither linear nor continuous, the synapses of a
# chip have time constants that deviate by a third, and a digital chip knows integers alone. What is left of the
# window on each?

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from lmu_analog.experiments import frame, spiking_delay_network
from lmu_analog.experiments.spiking_plots import (
    plot_bits,
    plot_cost,
    plot_delay_networks,
    plot_readouts,
    plot_scaling,
)
from lmu_analog.networks.spiking.circuits import circuit_rates, spike_train, synapse_currents
from lmu_analog.networks.spiking.digital import Format, integer_memory, integers, reference
from lmu_analog.networks.spiking.digital import run as run_integers
from lmu_analog.networks.spiking.neurons import Tuning, rate
from lmu_analog.networks.spiking.runs import Request, run_memory
from lmu_analog.output.spiking import plot_window
from lmu_analog.spice import ngspice

plt.rcParams["figure.dpi"] = 72

# %% [markdown]
# ## A window in spikes
#
# 4,800 neurons, 800 for each of six states, fire at random, at rates that depend on the state; a hundred of
# them a second each. Weights from neurons to neurons would be 23 million numbers; kept as encoders and
# decoders they are 14,400.

# %%
outcome = run_memory(Request(order=6, neurons=4800))
figure, ax = plt.subplots(figsize=(9, 3.5), layout="constrained")
plot_window(outcome, ax)
ax.set_xlim(0, 5)
print(f"rmse of the states {outcome.rmse:.3f}, window NRMSE {100 * outcome.window_nrmse:.1f} %")

# %% [markdown]
# ## How many neurons?
#
# Spikes are noise, and noise averages out: four times the neurons, half the error; and d/sqrt(m) for order d
# (dotted). A mere channel, in black, falls alike. Time and storage are in proportion to the neurons.

# %%
scaling = frame.stored("poisson-scaling")["result"]
figure, (left, right) = plt.subplots(1, 2, figsize=(13, 4.4), layout="constrained", width_ratios=(1, 1))
plot_scaling(scaling, left)
plot_cost(scaling, right)
fits = pd.DataFrame(scaling["cost"]["fits"]).transpose()
fits.map("{:.3g}".format)

# %% [markdown]
# ## Do circuits keep to the models?
#
# A leaky integrate-and-fire neuron of two capacitors, two resistors and two comparators, and one
# differential-pair integrator, transistor by transistor, in ngspice; lines are what the networks compute
# with.

# %%
if not ngspice.library_path():
    print("ngspice is not installed: no circuits here")
else:
    current = np.array([1.05, 1.2, 1.5, 2.0, 3.0, 5.0])
    fired = circuit_rates(current, Tuning(), duration=0.25)
    train = spike_train(np.array([2e-3, 6e-3, 7.5e-3, 13e-3]), width=1e-3, duration=0.03)
    circuit, model = synapse_currents(train, tau=5e-3)
    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 3.5), layout="constrained")
    fine = np.linspace(1.001, 5.2, 200)
    left.plot(fine, rate(fine, Tuning()), label="model")
    left.plot(current, fired, "o", label="circuit")
    left.set(xlabel="Current over threshold", ylabel="Rate (Hz)")
    right.plot(1e3 * train.time, model, label="model")
    right.plot(1e3 * train.time, circuit, "--", label="circuit")
    right.set(xlabel="Time (ms)", ylabel="Synapse, of a pulse's height")
    left.legend()
    right.legend()
    apart = np.abs(fired / rate(current, Tuning()) - 1).max()
    print(
        f"rates differ by {100 * apart:.2g} %, synapses by {100 * np.std(circuit - model) / np.std(model):.2g} %"
    )

# %% [markdown]
# ## What does silicon cost, and what does measuring it win back?
#
# The delay network of order 3, 100 ms long, in 3 x 128 neurons: two networks of each kind here, 25 in the
# figure. Time constants deviate as Braindrop's, gains and biases by 15 %. Weights for the measured time
# constants are exact, and decoders for the measured rates undo the rest.

# %%
short = spiking_delay_network.Options(seconds=2.0)
pd.Series(
    {
        said.strip(): np.mean([spiking_delay_network.network_error(case, seed, short) for seed in (0, 1)])
        for case, said in spiking_delay_network.SAYS.items()
    },
    name="window NRMSE",
).round(3).to_frame()

# %%
figure, ax = plt.subplots(figsize=(10, 4.8), layout="constrained")
plot_delay_networks(frame.stored("spiking-delay-network")["result"], ax)

# %% [markdown]
# Op-amps with 1 % parts are an order of magnitude better: they have neither spikes nor the spread. What a
# chip has in exchange is that it can be programmed.
#
# ## Is spread only bad?
#
# Without any compensation, but with a readout fitted to each circuit: eight further synapses for each state
# help, and they help most if no two are alike.

# %%
figure, ax = plt.subplots(figsize=(10, 3.8), layout="constrained")
plot_readouts(frame.stored("synapse-mismatch")["result"], ax)

# %% [markdown]
# ## And integers?
#
# One word shortened at a time. What is cut off towards zero is never made up for, so a state then needs four
# bits more. The hardware's simulation can be compared with `reference`, bit for bit.

# %%
memory = integer_memory(6, 1.0, Format(state=16, weight=8), dt=0.01, tau=0.1, radii=np.ones(6))
u = integers(memory, 0.4 * np.sin(2 * np.pi * 0.01 * np.arange(300)))
print("equal bit for bit:", run_integers(memory, u).tolist() == reference(memory, u.tolist()))
figure, ax = plt.subplots(figsize=(10, 4.2), layout="constrained")
plot_bits(frame.stored("digital-memory")["result"], ax)

# %% [markdown]
# ## So?
#
# - Spikes implement the memory; a window error of 10 % takes some thousand neurons a state at these rates, and a
#   quarter of it sixteen times as many.
# - Time constants that deviate by 30 % double the error at order 3; measured, they cost nothing.
# - Digital chips need words of about ten bits for states and nine for weights to stay within 1.5 %.
