"""The terms of a report for readers from another field, in the order in which they need them.

A report loads nothing, so it has its own short glossary; ``docs/glossary.md`` has the long one.
"""

TERMS = (
    ("window, θ", "The last θ seconds of the input u, which the memory is to keep."),
    ("delay r", "A place in the window: r = 0 is now, the newest, and r = 1 is θ ago, the oldest."),
    ("order", "Number of states of the memory. A larger order keeps a wider band of the input."),
    (
        "realization",
        "The state coordinates in which the memory is built; ideal parts make all of them equal.",
    ),
    ("family", "The way in which the state space is built from parts, such as op-amp RC or gm-C."),
    ("truncation error", "Error of the ideal memory itself: the order alone costs it, not the circuit."),
    ("window NRMSE", "Rms error of the estimated window over time and all delays, divided by rms(u)."),
    ("added error", "What mismatch adds: rms of the response minus the nominal response, divided by rms(u)."),
    ("sigma", "Standard deviation. How many of them a tolerance stands for is written beside it."),
    ("lot", "Parts made together; their common deviation is one draw for a circuit and a class of parts."),
    ("yield", "Share of all circuits whose window NRMSE is within the limit, with a confidence interval."),
)
