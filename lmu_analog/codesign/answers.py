"""What a search tells the designer: the front and its winner, and without a front what binds and what would help."""

from collections.abc import Callable
from dataclasses import dataclass

from lmu_analog.codesign.relaxing import Closest, Relaxed, figure, limit_text, obstacle
from lmu_analog.codesign.requirement import Calibration
from lmu_analog.codesign.search import Count, Search, Verified, uncounted
from lmu_analog.design import Design
from lmu_analog.ensembles.cluster import Crew
from lmu_analog.simulation import simulate

NEIGHBOURS = 1  # members of the front on either side of the winner that ngspice runs, too


@dataclass(frozen=True)
class Member:
    """A candidate as it is told.

    Attributes
    ----------
    row : int
        Of the grid.
    design : Design
    calibration : {"none", "nominal", "each"}
    seen : Verified
    ngspice : float or None
        Window NRMSE of the nominal circuit with rails, by ngspice; None where it was not run.
    figures : dict
        Objective to its value.
    made_of : dict
        What it is made of, beside order, family and realization.
    causes : dict
        Mean square error by cause, fractions of rms(u)^2.
    """

    row: int
    design: Design
    calibration: Calibration
    seen: Verified
    ngspice: float | None
    figures: dict[str, float]
    made_of: dict[str, object]
    causes: dict[str, float]


@dataclass(frozen=True)
class Answer:
    """What came of a requirement.

    Attributes
    ----------
    search : Search
    front : list of Member
        From the least error to the cheapest.
    winner : Member or None
    sentence : str
        The verdict in a line.
    binding : list of str
        Without a front: what stands in the way, the largest first.
    relax : list of Relaxed
        Without a front: what would help, and how much.
    closest : Closest or None
        Without a front: what comes closest, if anything can be built.
    """

    search: Search
    front: list[Member]
    winner: Member | None
    sentence: str
    binding: list[str]
    relax: list[Relaxed]
    closest: Closest | None = None


def answer(
    found: Search,
    crew: Crew | None = None,
    *,
    say: Callable[[str], None] = lambda text: None,
    count: Count = uncounted,
    simulator: bool = True,
) -> Answer:
    """Put together what a finished search tells; without a front, find out what binds and what would help.

    Parameters
    ----------
    found : Search
    crew : Crew, optional
    say, count : callable
        Told of progress, as by ``search``.
    simulator : bool
        Whether ngspice runs the winner and its neighbours.
    """
    grid = found.grid
    ranked = sorted(found.front, key=lambda k: (grid.p95[k], k))
    winner = found.winner
    near: set[int] = set()
    if winner is not None:
        at = ranked.index(winner)
        near = set(ranked[max(0, at - NEIGHBOURS) : at + NEIGHBOURS + 1])
    members, ran = [], 0
    for k in ranked:
        run = simulator and k in near
        members.append(member(found, k, ngspice=run))
        ran += run
        if run:
            count("ngspice runs", ran, len(near))
    best = next((m for m in members if m.row == winner), None)
    if best is not None:
        return Answer(found, members, best, _said(found, best), [], [])
    why = obstacle(found, crew, say=say, count=count)
    return Answer(found, [], None, why.sentence, why.binding, why.relax, why.closest)


def member(found: Search, row: int, *, ngspice: bool = False) -> Member:
    """Give a candidate of a search with its figures."""
    grid = found.grid
    bank, design = grid.banks[grid.bank[row]], grid.requirement.with_signal(grid.design_of(row))
    return Member(
        row,
        design,
        bank.calibration,
        found.verified.get(row, Verified("not verified")),
        float(simulate(design, engine="ngspice").window_nrmse) if ngspice else None,
        grid.figures(row),
        grid.made_of(row),
        grid.causes(row),
    )


def _said(found: Search, best: Member) -> str:
    need = found.grid.requirement.need
    design = best.design
    read = {
        "none": "",
        "nominal": ", readout fitted to the nominal circuit",
        "each": ", readout fitted to each",
    }
    limit = "" if need.nrmse is None else f" within {limit_text(found.grid.requirement, need.nrmse)}"
    told = [figure(name, value) for name, value in best.figures.items() if name != "p95"]
    part = f", {best.made_of['opamp']}" if "opamp" in best.made_of else ""
    return (
        f"order {design.order}, {design.family}, {design.realization}{part}{read[best.calibration]}: "
        f"{100.0 * best.seen.good:.4g} % of {best.seen.samples} exact circuits{limit}, {', '.join(told)}"
    )
