"""What errors of elements do to the window in contractive coordinates, and how it changes with these.

In the ladder's coordinates x, in which the controllability Gramian is one, A + A^T = -b b^T: the energy |x|^2 does not
grow where no input comes in. With F that commutes with A, that is a polynomial in A, (F A F^-1 = A), the energy
|F x|^2 does neither, so P = 1 + F^T F has A^T P + P A = -b b^T - m m^T with m = F^T b, and every m has its F. With
L^T L = P and any orthogonal Q, z = Q L x has A + A^T <= 0. No Q and m can take that away, nor can a diagonal scaling
of z afterwards, which only measures the same energy in other units. Such a circuit returns from its rails.

Of one percent of every a_ij and b_i, and of every state's own time constant, each by itself, the window error is

    S = mean over the band of sum_ij a_ij^2 alpha_i |z_j|^2 + sum_i b_i^2 alpha_i + share sum_i alpha_i |s z_i|^2,

with alpha_i = sum_k |k-th Legendre state of (s - A)^-1 e_i|^2 / (2k + 1). The theta of this file is 1.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from lmu_analog.memory.elementary import legendre_nodes
from lmu_analog.memory.repeatable import product, products
from lmu_analog.memory.tridiagonal import basis, couplings, schwarz

SPARE_NODES = 8  # frequencies beyond half the order: S is then right to 1e-6


@dataclass(frozen=True, eq=False)
class Errors:
    """S as a function of the coordinates z = T x.

    Attributes
    ----------
    A : (d, d) array
        Of the ladder.
    drive : float
        Of its first state, the only one.
    couplings : (c,) array, c = d - 1
        Of neighbours: below the diagonal, above it the negative.
    seen : (f, d, d) array
        V ``seen`` V^T has the alphas on its diagonal, V = T^-T.
    real, imaginary : (d, f) arrays
        The ladder's states for a unit sine at every frequency.
    weight : (f,) array
        Of the frequencies, one together.
    own : (f,) array
        What the error of a state's time constant counts, share w^2.
    spread : float
        What a coefficient costs that is far below the others of its row: this over its part of the row, in power.
    """

    A: Float[np.ndarray, "d d"]
    drive: float
    couplings: Float[np.ndarray, " c"]
    seen: Float[np.ndarray, "f d d"]
    real: Float[np.ndarray, "d f"]
    imaginary: Float[np.ndarray, "d f"]
    weight: Float[np.ndarray, " f"]
    own: Float[np.ndarray, " f"]
    spread: float = 0.0


def errors(order: int, turns: float, *, share: float) -> Errors:
    """Prepare S for an order and a band of ``turns`` periods a window."""
    r, weight = legendre_nodes(order // 2 + SPARE_NODES)
    w = 2.0 * math.pi * turns * r
    form = schwarz(order)
    A, steps, drive = couplings(form), np.array([math.sqrt(x) for x in form.squares]), math.sqrt(2.0) * order
    A[0, 0] = -(order**2)
    real, imaginary = _inverse(steps, order, w)
    scaled = basis(form) / np.sqrt(2.0 * np.arange(order) + 1.0)[:, None]
    parts = [products(scaled, each) for each in (real, imaginary)]
    seen = np.array([sum(product(each[f].T, each[f]) for each in parts) for f in range(len(w))])
    states = [drive * np.ascontiguousarray(each[:, :, 0].T) for each in (real, imaginary)]
    return Errors(A, drive, steps, seen, states[0], states[1], np.array(weight), share * w * w)


def _inverse(steps: np.ndarray, order: int, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give real and imaginary parts of (jw - A)^-1, each (f, d, d), of the tridiagonal A, without pivots.

    They are the impedances of the ladder, whose real parts are positive.
    """
    real, imaginary = (np.zeros((order, len(w), order)) for _ in range(2))
    quotients: list[tuple[np.ndarray, np.ndarray]] = []
    for i in range(order):
        real[i, :, i] = 1.0
        x, y = np.full(len(w), float(order**2)), w
        if i:
            a, b = (steps[i - 1] * each for each in quotients[-1])
            x, y = steps[i - 1] * a, w + steps[i - 1] * b
            a, b = a[:, None], b[:, None]
            real[i] += a * real[i - 1] - b * imaginary[i - 1]
            imaginary[i] += a * imaginary[i - 1] + b * real[i - 1]
        size = x * x + y * y
        quotients.append((x / size, -y / size))
    for i in range(order - 1, -1, -1):
        x, y = real[i], imaginary[i]
        if i < order - 1:
            x, y = x - steps[i] * real[i + 1], y - steps[i] * imaginary[i + 1]
        a, b = (each[:, None] for each in quotients[i])
        real[i], imaginary[i] = a * x - b * y, a * y + b * x
    return real.transpose(1, 0, 2), imaginary.transpose(1, 0, 2)


def added(
    of: Errors, T: Float[np.ndarray, "d d"], V: Float[np.ndarray, "d d"]
) -> tuple[float, Float[np.ndarray, "d d"], Float[np.ndarray, "d d"]]:
    """Give S, with what the spread costs, and its derivatives by all entries of T and of V = T^-T."""
    after, before = _ladder_times(of, T, -1.0), _ladder_times(of, V, 1.0)
    turned = products(V, of.seen)
    alpha = np.add.reduce((turned * V).transpose(2, 0, 1), axis=0)  # (f, d), as all that follows
    real, imaginary = product(T, of.real).T, product(T, of.imaginary).T
    power = real * real + imaginary * imaginary
    A, B = product(after, np.ascontiguousarray(V.T)), of.drive * T[:, 0]
    reached, own = of.weight[:, None] * alpha, of.own[:, None]
    squares = A * A
    terms = product(power, np.ascontiguousarray(squares.T)) + B * B + own * power
    value = math.fsum((reached * terms).ravel().tolist())
    by_squares = product(np.ascontiguousarray(reached.T), power)
    by_drive = np.add.reduce(reached, axis=0)
    by_power = product(reached, squares) + own * reached
    if of.spread:
        mean = np.add.reduce(of.weight[:, None] * power, axis=0)
        cost, by_terms, by_inputs = _spread(of.spread, squares * mean, B * B)
        value, by_squares, by_drive = value + cost, by_squares + mean * by_terms, by_drive + by_inputs
        by_power = by_power + of.weight[:, None] * np.add.reduce(squares * by_terms, axis=0)
    by_A = 2.0 * A * by_squares
    by_T, by_V = product(by_A, before), product(np.ascontiguousarray(by_A.T), after)
    by_T[:, 0] += 2.0 * of.drive * B * by_drive
    by_V += 2.0 * np.add.reduce((of.weight[:, None] * terms)[:, :, None] * turned, axis=0)
    for states, phase in ((of.real, real), (of.imaginary, imaginary)):
        by_T += 2.0 * product(np.ascontiguousarray((by_power * phase).T), np.ascontiguousarray(states.T))
    return value, by_T, by_V


def _spread(weight: float, terms: np.ndarray, inputs: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Give the sum of what coefficients are below their rows, and its derivatives by their (d, d) and (d,) powers."""
    rows = np.add.reduce(np.ascontiguousarray(terms.T), axis=0) + inputs
    shares, of_inputs = weight / terms, weight / inputs
    value = math.fsum((rows[:, None] * shares).ravel().tolist()) + math.fsum((rows * of_inputs).tolist())
    by_rows = np.add.reduce(np.ascontiguousarray(shares.T), axis=0) + of_inputs
    return value, by_rows[:, None] - rows[:, None] * shares / terms, by_rows - rows * of_inputs / inputs


def _ladder_times(of: Errors, Q: np.ndarray, sign: float) -> np.ndarray:
    """Give Q A for a sign of -1 and Q A^T for one of +1."""
    found = np.zeros_like(Q)
    found[:, 0] = of.A[0, 0] * Q[:, 0]
    found[:, 1:] += sign * Q[:, :-1] * of.couplings
    found[:, :-1] -= sign * Q[:, 1:] * of.couplings
    return found
