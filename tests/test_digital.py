"""The memory in integers: equal to its reference bit for bit, and as good as its words are long."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmu_analog.errors import DesignError
from lmu_analog.memory.reference import filtered
from lmu_analog.networks.spiking.digital import (
    Format,
    IntegerMemory,
    integer_memory,
    integers,
    legendre_states,
    reference,
    run,
)

FORMATS = st.builds(
    Format,
    state=st.integers(2, 32),
    weight=st.integers(1, 16),
    decay=st.integers(1, 16),
    rounding=st.sampled_from(["truncate", "nearest"]),
)


def made(words: Format, order: int = 4, **changes: float) -> IntegerMemory:
    given = {"dt": 0.01, "tau": 0.1, **changes}
    return integer_memory(order, 1.0, words, radii=np.full(order, 1.5), **given)


@settings(max_examples=60)
@given(words=FORMATS, order=st.integers(1, 8), seed=st.integers(0, 99))
def test_a_run_equals_python_s_own_integers_bit_for_bit(words, order, seed):
    memory = made(words, order)
    u = integers(memory, np.random.default_rng(seed).uniform(-1.5, 1.5, 25))
    assert run(memory, u).tolist() == reference(memory, u.tolist())


@given(value=st.integers(-(2**40), 2**40), bits=st.integers(1, 20))
def test_dividing_rounds_half_up_or_towards_zero(value, bits):
    exact = Fraction(value, 2**bits)
    for rounding, wanted in (
        ("nearest", int((exact + Fraction(1, 2)).__floor__())),
        ("truncate", int(exact)),
    ):
        words = Format(state=32, rounding=rounding)
        passing = IntegerMemory(
            np.zeros((1, 1), int), np.ones(1, int), 2**12, np.array([bits]), words, 1.0, made(words, 1).system
        )
        most = passing.largest
        assert run(passing, np.array([value]))[0, 0] == max(-most, min(most, wanted))


def test_long_words_are_the_memory_without_rounding():
    memory = made(Format(state=32, weight=16))
    u = 0.5 * np.sin(2 * np.pi * 0.01 * np.arange(300))
    states = memory.unit * run(memory, integers(memory, u))
    # Weights of 16 bits: 1.5e-5 of the largest into a state, times theta/dt over the size of the others.
    np.testing.assert_allclose(states, filtered(memory.system, u), atol=3e-4)
    np.testing.assert_allclose(
        legendre_states(memory, run(memory, integers(memory, u))), 1.5 * states, rtol=1e-12
    )


@pytest.mark.parametrize("word", ["state", "weight"])
def test_the_error_falls_by_half_a_bit_and_more(word):
    u = 0.5 * np.sin(2 * np.pi * 0.01 * np.arange(400))
    errors = []
    for bits in (8, 11, 14):
        memory = made(Format(**{"state": 24, "weight": 16, word: bits}))
        found = memory.unit * run(memory, integers(memory, u)) - filtered(memory.system, u)
        errors.append(np.sqrt(np.mean(found[100:] ** 2)))
    # Three bits are a factor of 8; rounding is no noise, so a factor of 2 is left to chance.
    assert errors[0] / errors[2] > 16.0


def test_the_weights_know_the_rounded_decay():
    memory = made(Format(state=32, weight=16, decay=3), tau=0.083)
    assert memory.delta == 1  # 8 (1 - exp(-0.01/0.083)) = 0.91
    u = 0.5 * np.sin(2 * np.pi * 0.01 * np.arange(300))
    found = memory.unit * run(memory, integers(memory, u))
    np.testing.assert_allclose(found, filtered(memory.system, u), atol=5e-4)


def test_one_bit_is_a_sign():
    assert set(np.abs(made(Format(weight=1)).weights).ravel().tolist()) == {1}


def test_weights_fit_their_words():
    for bits in range(2, 17):
        memory = made(Format(weight=bits))
        largest = np.maximum(np.abs(memory.weights).max(axis=1), np.abs(memory.drive))
        assert (largest <= 2 ** (bits - 1) - 1).all()
        assert (largest > 0).all()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Format(state=1), r"state of 1 bits: 2 to 32 are wanted"),
        (lambda: Format(weight=17), r"weight of 17 bits: 1 to 16 are wanted"),
        (lambda: Format(decay=True), r"decay of True bits: 1 to 16 are wanted"),
        (
            lambda: integer_memory(
                2, 1.0, Format(), dt=0.01, tau=0.1, radii=np.ones(2), realization="principle3-two-pole"
            ),
            r"principle3-two-pole has two states for one; choose another",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(make, said):
    with pytest.raises(DesignError, match=said):
        make()
