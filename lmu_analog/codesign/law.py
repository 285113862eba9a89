"""The law of the window error for many tolerances and op-amps at once.

To first order NRMSE^2 = rest + |e + sum_c t_c J_c x_c|^2, where the x_c are standard normal draws of class c, and
t_c is its tolerance. The cumulants of that are polynomials in t_c^2, whose coefficients are traces of G_c = J_c J_c'
and products with e (Imhof, Biometrika 48, 1961, gives the form's law). What an op-amp, a level or a temperature does to
the nominal error is linear in a few terms: e = E a, with the terms' errors in the columns of E. So a few hundred
numbers (``Traces``) tell the first three cumulants of every tolerance of every class with every op-amp, and ``pearson``
their quantiles.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

MARGIN = 0.03  # of a limit, that the law may be wrong by: 1 % by Pearson, the rest by higher orders


@dataclass(frozen=True, eq=False)
class Traces:
    """Of one circuit, for c classes of draws and k terms of its nominal error.

    Attributes
    ----------
    rest : float
        Mean square error that no circuit of this order avoids, a fraction of rms(u)^2.
    first : (c,) array
        tr G_c.
    second : (c, c) array
        2 tr(G_a G_b).
    third : (c, c, c) array
        8 tr(G_a G_b G_d).
    nominal : (k, k) array
        E'E.
    along : (c, k, k) array
        4 E' G_c E.
    turned : (c, c, k, k) array
        24 E' G_a G_b E, in the mean over both orders of the factors.
    """

    rest: float
    first: Float[np.ndarray, " c"]
    second: Float[np.ndarray, "c c"]
    third: Float[np.ndarray, "c c c"]
    nominal: Float[np.ndarray, "k k"]
    along: Float[np.ndarray, "c k k"]
    turned: Float[np.ndarray, "c c k k"]

    @classmethod
    def of(
        cls, rest: float, errors: Float[np.ndarray, "e k"], jacobians: Sequence[Float[np.ndarray, "e z"]]
    ) -> "Traces":
        """Take the traces of a linearised circuit.

        Parameters
        ----------
        rest : float
        errors : (e, k) array
            The terms of the nominal error.
        jacobians : c arrays, (e, z) each
            What one standard deviation of each draw of a class adds, at a tolerance of one.
        """
        count = len(jacobians)
        # A rotation of the error's coordinates changes nothing: as few as there are columns will do.
        stacked = np.concatenate([errors, *jacobians], axis=1)
        if stacked.shape[0] > stacked.shape[1]:
            stacked = np.asarray(np.linalg.qr(stacked, mode="r"))
        ends = np.cumsum([errors.shape[1], *(J.shape[1] for J in jacobians)])
        E = stacked[:, : ends[0]]
        G = [J @ J.T for J in (stacked[:, a:b] for a, b in zip(ends[:-1], ends[1:], strict=True))]
        pushed = [g @ E for g in G]
        second, third = np.zeros((count,) * 2), np.zeros((count,) * 3)
        turned = np.zeros((count, count, errors.shape[1], errors.shape[1]))
        for a in range(count):
            for b in range(count):
                product = G[a] @ G[b]
                second[a, b] = np.trace(product)
                third[a, b] = [np.sum(product * g) for g in G]  # of symmetric matrices
                both = pushed[a].T @ pushed[b]
                turned[a, b] = 0.5 * (both + both.T)
        return cls(
            rest,
            np.array([np.trace(g) for g in G]),
            2.0 * second,
            8.0 * third,
            E.T @ E,
            4.0 * np.array([E.T @ p for p in pushed]),
            24.0 * turned,
        )

    def cumulants(
        self, terms: Float[np.ndarray, "n k"], tolerances: Float[np.ndarray, "n c"]
    ) -> Float[np.ndarray, "n 3"]:
        """Give mean, variance and third cumulant of NRMSE^2 of n candidates, (n, 3).

        Parameters
        ----------
        terms : (n, k) array
            How much of every term of the nominal error.
        tolerances : (n, c) array
            Of every class, fractions.
        """
        w = np.square(tolerances)
        mean = self.rest + np.einsum("nk,nk->n", terms @ self.nominal, terms) + w @ self.first
        along = np.einsum("nk,cnk->nc", terms, terms @ self.along)
        variance = np.einsum("na,na->n", w @ self.second, w) + np.einsum("nc,nc->n", w, along)
        third = np.einsum("na,nb,nab->n", w, w, np.einsum("nd,abd->nab", w, self.third))
        for a in range(w.shape[1]):
            for b in range(w.shape[1]):
                third = third + w[:, a] * w[:, b] * np.einsum("nk,nk->n", terms @ self.turned[a, b], terms)
        return np.stack([mean, variance, third], axis=-1)

    def leading(self, count: int) -> "Traces":
        """Leave out all terms of the nominal error but the first."""
        return replace(
            self,
            nominal=self.nominal[:count, :count],
            along=self.along[:, :count, :count],
            turned=self.turned[:, :, :count, :count],
        )

    def causes(self, tolerances: Float[np.ndarray, " c"]) -> Float[np.ndarray, " c"]:
        """Give the mean square error that every class adds, (c,)."""
        return np.square(tolerances) * self.first
