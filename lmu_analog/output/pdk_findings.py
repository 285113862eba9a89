"""What a check of a process design kit found, as plain data and as text."""

from typing import Any

from lmu_analog.silicon.doctor import Findings
from lmu_analog.units import write


def content(found: Findings) -> dict[str, Any]:
    """Give findings as plain data."""
    return {
        "pdk": found.kit.pdk.name,
        "release": found.kit.version,
        "digest": found.kit.digest,
        "remark": found.kit.remark,
        "seed": found.seed,
        "draws": found.draws,
        "off": len(found.off),
        "checks": [
            {
                "group": c.group,
                "what": c.what,
                "measured": _rounded(c.measured),
                "wanted": None if c.wanted is None else _rounded(c.wanted),
                "unit": c.unit,
                "rule": c.rule,
                "verdict": c.verdict,
            }
            for c in found.checks
        ],
        "known_defects": [
            {"release": d.release, "what": d.what, "consequence": d.consequence, "source": d.source}
            for d in found.defects
        ],
    }


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")


def text(content: dict[str, Any]) -> str:
    """Lay findings out as tables, a group each."""
    release = content["release"] or "of no known release"
    lines = [f"{content['pdk']} {release}, digest {content['digest'][:12]}, seed {content['seed']}"]
    if content["remark"]:
        lines.append(content["remark"])
    rows = [
        (c["what"], _value(c["measured"], c["unit"]), _value(c["wanted"], c["unit"]), c["verdict"], c["rule"])
        for c in content["checks"]
    ]
    widths = [max(len(row[k]) for row in [*rows, ("", "measured", "wanted", "", "")]) for k in range(4)]
    group = ""
    for check, row in zip(content["checks"], rows, strict=True):
        if check["group"] != group:
            group = check["group"]
            lines += ["", f"{group:<{widths[0]}}  {'measured':>{widths[1]}}  {'wanted':>{widths[2]}}"]
        lines.append(
            f"{row[0]:<{widths[0]}}  {row[1]:>{widths[1]}}  {row[2]:>{widths[2]}}  {row[3]:<{widths[3]}}  {row[4]}"
        )
    count = len(content["checks"])
    lines += [
        "",
        f"{count - content['off']} of {count} not off" if content["off"] else f"none of {count} off",
    ]
    lines += ["", "Known defects:"]
    lines += [f"- {d['release']}: {d['what']}; {d['consequence']}" for d in content["known_defects"]]
    return "\n".join(lines)


def _value(value: float | None, unit: str) -> str:
    if value is None:
        return "-"
    if unit:
        return write(value, unit)
    return f"{value:.6g}"
