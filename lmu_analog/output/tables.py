"""Results as a few aligned lines for a terminal."""

from typing import Any


def simulation(content: dict[str, Any]) -> str:
    """Lay out the object of ``simulate``."""
    rows = [
        ("window NRMSE", _percent(content["window_nrmse"]), "circuit against the ideal sliding window"),
        ("truncation NRMSE", _percent(content["truncation_nrmse"]), "ideal memory against the window"),
        ("reference NRMSE", _percent(content["reference_nrmse"]), "circuit against the NumPy memory"),
        ("engine time", f"{content['seconds']:.3g} s", ""),
    ]
    title = (
        f"{content['family']}, {content['realization']}, order {content['order']}, {content['engine']} engine"
    )
    return "\n".join([_table(title, rows), *(f"  warning: {line}" for line in content["warnings"])])


def ensemble(content: dict[str, Any]) -> str:
    """Lay out the object of ``montecarlo``."""
    spread, limit = content["nrmse"], content["yield"]
    rows = [
        ("samples", str(content["samples"]), f"{content['unstable']} unstable, {content['failed']} failed"),
        ("nominal NRMSE", _percent(content["nominal_nrmse"]), "without mismatch"),
        (
            "median NRMSE",
            _percent(spread["median"]),
            f"5 % to 95 %: {_percent(spread['p05'])} to {_percent(spread['p95'])}",
        ),
    ]
    if limit:
        interval = f"95 % interval {_percent(limit['low'])} to {_percent(limit['high'])}"
        rows.append(("yield", _percent(limit["value"]), f"within {_percent(limit['limit'])}; {interval}"))
    rows.append(("time", f"{content['seconds']:.3g} s", f"{content['resumed']} samples taken over"))
    return _table(f"mismatch ensemble, seed {content['seed']}, {content['engine']} engine", rows)


def main_job(content: dict[str, Any]) -> str:
    """Lay out the object of ``run``."""
    parts = [simulation(result) for result in content["simulate"].values()]
    parts.append(ensemble(content["montecarlo"]))
    parts.append("\n".join(["files", *(f"  {path}" for path in content["files"])]))
    return "\n\n".join(parts)


def _percent(value: float | None) -> str:
    return "none" if value is None else f"{100.0 * value:.3g} %"


def _table(title: str, rows: list[tuple[str, str, str]]) -> str:
    return "\n".join([title, *(f"  {name:<18}{value:>10}  {note}".rstrip() for name, value, note in rows)])
