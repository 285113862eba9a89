"""What is known of process design kits, and what of them is here, as plain data and as text."""

from typing import Any

from lmu_analog.circuits.devices.pdk import Defect, Pdk, PdkDevice, find_pdk, how_to_get, known_defects, pdks
from lmu_analog.errors import DesignError
from lmu_analog.units import ICE, write


def content(kits: list[Pdk] | None = None) -> dict[str, Any]:
    """Say what kits contain and where their model files are.

    Parameters
    ----------
    kits : list of Pdk, optional
        All that are known unless given; then defects of kits that do not run here are told too.

    Returns
    -------
    dict
        ``kits``, a list, and ``other_defects``.
    """
    told = list(pdks().values()) if kits is None else kits
    others = [] if kits is not None else [d for d in known_defects() if not any(_is_of(d, k) for k in told)]
    return {"kits": [_kit(kit) for kit in told], "other_defects": [_defect(row) for row in others]}


def _is_of(defect: Defect, kit: Pdk) -> bool:
    return defect.release.split()[0] == kit.package


def _defect(row: Defect) -> dict[str, str]:
    return {
        "release": row.release,
        "what": row.what,
        "consequence": row.consequence,
        "source": row.source,
    }


def _kit(kit: Pdk) -> dict[str, Any]:
    try:
        installed, missing = find_pdk(kit.name), None
    except DesignError as error:
        installed, missing = None, str(error)
    return {
        "name": kit.name,
        "about": kit.about,
        "folder": None if installed is None else str(installed.folder),
        "found_by": None if installed is None else installed.found_by,
        "version": None if installed is None else installed.version,
        "digest": None if installed is None else installed.digest,
        "remark": (installed.remark or None) if installed is not None else None,
        "missing": missing,
        "how_to_get": how_to_get(kit),
        "package": kit.package,
        "package_version": kit.version,
        "licence": kit.licence,
        "package_licence": kit.package_licence,
        "temperature_C": round(kit.temperature - ICE, 6),
        "supply_V": kit.supply,
        "corners": {kind: list(sections) for kind, sections in kit.corners.items()},
        "devices": [_device(device) for device in kit.devices.values()],
        "defects": [_defect(row) for row in known_defects() if _is_of(row, kit)],
    }


def _device(device: PdkDevice) -> dict[str, Any]:
    is_transistor = bool(device.element)
    return {
        "name": device.name,
        "kind": device.kind,
        "terminals": list(device.terminals),
        "width_m": [device.width_min, device.width_max],
        "length_m": [device.length_min, device.length_max],
        "sigma_vt_V_m": device.threshold if is_transistor else None,
        "sigma_beta_m": device.mobility if is_transistor else None,
        "sigma_value_m": device.local,
        "unwired": list(device.unwired),
        "source": device.source,
        "confidence": device.local_confidence or device.confidence,
    }


def text(content: dict[str, Any]) -> str:
    """Lay out what ``content`` gives."""
    parts = [_as_text(kit) for kit in content["kits"]]
    if content["other_defects"]:
        parts.append(
            "\n".join(["Known defects of kits that do not run here:", *_listed(content["other_defects"])])
        )
    return "\n\n".join(parts)


def _as_text(kit: dict[str, Any]) -> str:
    rows = [("here", "no")]
    if kit["folder"] is not None:
        version = kit["version"] or f"none that is known (digest {kit['digest'][:12]})"
        rows = [("here", kit["folder"]), ("found by", kit["found_by"]), ("release", version)]
    corners = [(f"{kind} corners", ", ".join(names)) for kind, names in kit["corners"].items()]
    rows += [
        (
            "licence",
            f"models {kit['licence']}, the package {kit['package']} around them {kit['package_licence']}",
        ),
        ("models", f"extracted at {kit['temperature_C']:g} C, supply {kit['supply_V']:g} V"),
        *corners,
    ]
    lines = [f"{kit['name']}: {kit['about']}", *(f"  {name:<18}{said}" for name, said in rows)]
    lines += ["", *_devices(kit["devices"])]
    if kit["defects"]:
        lines += ["", "Known defects:", *_listed(kit["defects"])]
    if said := kit["remark"] or kit["missing"]:
        lines += ["", said]
    return "\n".join(lines)


def _devices(devices: list[dict[str, Any]]) -> list[str]:
    heads = ("device", "kind", "width", "length", "sigma of ONE device times root of area", "confidence")
    rows = [
        (d["name"], d["kind"], _limits(d["width_m"]), _limits(d["length_m"]), _mismatch(d), d["confidence"])
        for d in devices
    ]
    widths = [max(len(row[k]) for row in (heads, *rows)) for k in range(len(heads))]
    return [
        "  ".join(f"{cell:<{w}}" for cell, w in zip(row, widths, strict=True)).rstrip()
        for row in (heads, *rows)
    ]


def _limits(sizes: list[float]) -> str:
    return " to ".join(write(float(f"{size:.4g}"), "m") for size in sizes)


def _mismatch(device: dict[str, Any]) -> str:
    if device["sigma_vt_V_m"] is not None:
        said = f"V_T {device['sigma_vt_V_m'] * 1e9:.3g} mV um, current factor {device['sigma_beta_m'] * 1e8:.2g} % um"
        return f"{said} (not in the kit's own models)" if device["unwired"] else said
    return "unknown" if device["sigma_value_m"] is None else f"{device['sigma_value_m'] * 1e8:.2g} % um"


def _listed(defects: list[dict[str, str]]) -> list[str]:
    return [f"  {row['release']}: {row['what']}; {row['consequence']}" for row in defects]
