"""Hostile input: does any file or option bring a traceback, a hang, a stray file or a process?

    python benchmarks/fuzz.py [--cases 500] [--seed 0] [--only designs] [--no-write]

Cases of five kinds, 500 of each: designs, tables (recordings, bench tables, prices), SPICE models, stored runs
and weights, each made from a good file by seeded edits of its entries or its bytes, together with options of the
command line. A case runs one command of the package in a forked child, in a folder of its own. It is a fault if

- the child ends in a traceback, in another status than 0, 1 or 2, or by a signal,
- its message has more than three lines (warnings beforehand aside), or a line of thousands of characters,
- it uses more than 10 s of processor time,
- a file other than that of ``-o`` is made, changed, left over or opened for writing anywhere,
- or it starts a process, opens a socket or unpickles (an audit hook of CPython tells).

Prints a line for every fault and a table, and writes benchmarks/results/fuzz.json. A case is a function of seed,
kind and number alone: ``--only designs --case 17`` runs one again and shows what it said.
"""

import argparse
import csv
import importlib
import io
import json
import os
import pkgutil
import platform
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

PROCESSOR_SECONDS = 10.0  # beyond it a case hangs
WALL_SECONDS = 120.0  # the machine may be busy with other things
MEMORY = 6_000_000_000  # bytes of a child: more is a fault of its own
OUT, NESTED = "out", "deep"
LONGEST = 1000  # characters of a line on stderr
# A model is measured by ngspice, and ctypes asks ldconfig where libraries are: nothing else may start.
STARTED = ("'ngspice'", "/ngspice'", "ldconfig'", "lmu_analog.spice.worker")
PICKLED = (
    "lmu_analog",
    "numpy",
    "dask",
    "_operator",
    "pathlib",
    "functools",
)  # by ourselves, and by dask's import
FORBIDDEN = (
    "subprocess.Popen",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.fork",
    "pty.spawn",
    "socket.connect",
)
SKIPPED = (
    "experiments",
    "learning",
    "loop",
    "cluster",
    "demo",
)  # of the package: what no case needs, and is slow

DESIGNS = (
    {"memory": {"order": 3, "theta": "1 ms"}, "mismatch": {"resistor": "1 %"}, "spec": {"nrmse": "5 %"}},
    {
        "memory": {"error": "5 %", "theta": "10 ms"},
        "signal": {"bandwidth": "100 Hz", "amplitude": "0.5 V", "kind": "sine"},
        "circuit": {"family": "active-rc", "realization": "legendre", "capacitance": "1 nF", "opamp": "OPA2192",
                    "supply": "5 V", "headroom": "30 %", "values": "E24", "technology": "sky130"},
        "mismatch": {"resistor": {"tolerance": "1 %", "distribution": "uniform", "lot": "5 %"}, "only": ["R*"]},
        "drift": {"resistor": "25 ppm"},
        "spec": {"nrmse": "5 %", "yield": "90 %"},
    },
    {
        "memory": {"order": 2, "theta": "1 ms"},
        "signal": {"tones": [[100, 1, 0], [300.5, 0.5, -0.5]]},
        "circuit": {"family": "gm-c", "realization": "ladder", "transconductor": {"gain": "60 dB", "pole": "1 GHz"},
                    "leakage": "100 s"},
        "mismatch": {"transconductor": "2 %", "group": [{"components": ["G*"], "correlation": 0.5}]},
    },
    {"memory": {"order": 2, "theta": "1 ms"}, "circuit": {"family": "passive-rlc", "variant": "gyrator"}},
    {"memory": {"order": 2, "theta": "1 ms"}, "circuit": {"family": "switched-capacitor", "clock": "200 kHz"}},
    {"memory": {"order": 2, "theta": "1 ms"}, "circuit": {"family": "crossbar", "crossbar": {"on": "10 kOhm"}}},
    {"memory": {"order": 2, "theta": "1 ms"}, "signal": {"file": "rec.csv"},
     "circuit": {"parts": "parts.toml", "opamp": "MINE"}},
)  # fmt: skip
PARTS = "[MINE]\ngain = 100\ngbw = 1e7\nsupply = [5, 36]\n"
RECORDING = "Time (s),Voltage (V)\n" + "".join(
    f"{k * 2e-5!r},{((k * 7) % 13 - 6) / 12.0!r}\n" for k in range(200)
)
PRICES = "part,price,amplifiers\nresistor,0.02\ncapacitor,0.05\nOPA2192,2.45,2\n"
MODEL = """* an op-amp
.include "inner.lib"
.param a0=1e5 c1={1u}
.func lim(x,p,q) {min(max(x,p),q)}
.subckt opamp plus minus vcc vee out params: gain=10k
Rin plus minus 1Meg
Ea 1 0 value={lim(a0*V(plus,minus), V(vee), V(vcc))}
Ra 1 2 1k
Ca 2 0 {c1}
Gb 0 3 poly(1) 2 0 0 1m
Rb 3 0 1k
D1 3 vcc dclamp
Xo 3 out buffer
.model dclamp d(is=1e-14 rs=10)
.ends
"""
INNER = ".subckt buffer a b\nEo b 0 a 0 1\nRo b 0 1Meg\n.ends\n"
NASTY = (
    "", " ", "1 ms", "-1", "nan", "inf", "1e400", "1e-400", "0 s", "1 kOhm", "100 %", "-5 %", "1,5 V", "4k7",
    "9" * 5000, "x" * 300, "x" * 5000, "\u202e\U0001f681", "a\nb", "\t", "\x7f", "../../../etc/passwd", "/etc/passwd",
    "/dev/zero", "/dev/null", "pipe", ".", "..", "~", "loop", "deep/deep", "rec.csv", "d.toml", "; touch pwned",
    "$(touch pwned)",
    "`touch pwned`", "x\n.control\nshell touch pwned\n.endc", "*", "[", "R*", "ideal", "TL072", "sobol",
    0, 1, -1, 2, 64, 65, 10**6, 10**30, -(10**18), 2**63, 0.5, -0.0, 1e308, -1e308, 1e-320, True, False,
    [], {}, [[[[]]]], [1, 2, 3], ["1 ms"], {"a": {"b": {"c": 1}}}, [[1, 2, 3], [4]], [1e308] * 50,
    [[k, 1, 0] for k in range(1, 60)],
)  # fmt: skip
NUMBERS = (
    "0",
    "1",
    "-1",
    "2",
    "3",
    "64",
    "65",
    "9" * 25,
    "9" * 5000,
    "1e3",
    "nan",
    "",
    "x",
    "0x10",
    "1_000",
    "７",
)
WORDS = (
    "exact",
    "nonlinear",
    "random",
    "latin",
    "sobol",
    "numpy",
    "E24",
    "ideal",
    "cap-feedforward",
    "kicad",
    "bom",
)
PIECES = (
    *(bytes([c]) for c in b"\x00\xff\xfe\n,;\"'[]{}=.-e \t#*+$\\/%"), b"\r\n", b"9" * 40, b"nan", b"inf", b"1e999",
    b"\xef\xbb\xbf", b'.include "inner.lib"\n', b".control\nshell touch pwned\n.endc\n", b".func sin(x) {0}\n",
    b".ends\n",
)  # fmt: skip


@dataclass
class Case:
    """What one child does: files of its folder, and the command; or a Python call on the folder."""

    command: list[str]
    files: dict[str, bytes] = field(default_factory=dict)
    folders: dict[str, str] = field(default_factory=dict)  # name to what is copied there
    edit: Callable[[Path], None] | None = None
    say: str = ""


# ---------------------------------------------------------------- making files hostile


def toml(value: Any) -> str:
    """Write a value of a TOML document on one line."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(k)} = {toml(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, float):
        return repr(value)
    return json.dumps(value)


def document(tables: dict[str, Any]) -> str:
    """Write a design: plain tables, or whatever a mutation has made of them."""
    lines = []
    for name, table in tables.items():
        if isinstance(table, dict):
            lines += [f"[{json.dumps(name)}]", *(f"{json.dumps(k)} = {toml(v)}" for k, v in table.items())]
        else:
            lines.insert(0, f"{json.dumps(name)} = {toml(table)}")
    return "\n".join(lines) + "\n"


def mutated(chance: random.Random, value: Any) -> Any:
    """Change one entry somewhere in nested tables and lists."""
    if isinstance(value, dict) and value and chance.random() < 0.85:
        new = dict(value)
        key = chance.choice(list(new))
        match chance.randrange(8):
            case 0:
                del new[key]
            case 1:
                new[str(chance.choice(NASTY))[:400]] = new[key]
            case _:
                new[key] = mutated(chance, new[key])
        return new
    if isinstance(value, list) and value and chance.random() < 0.7:
        k = chance.randrange(len(value))
        return [*value[:k], mutated(chance, value[k]), *value[k + 1 :]]
    return chance.choice(NASTY)


def torn(chance: random.Random, content: bytes, most: int = 3) -> bytes:
    """Change some bytes: flip, cut, drop, repeat, insert."""
    for _ in range(chance.randint(1, most)):
        at = chance.randrange(len(content) + 1)
        end = min(len(content), at + chance.choice((1, 2, 5, 20, 200)))
        match chance.randrange(6):
            case 0 if at < len(content):
                content = content[:at] + bytes([content[at] ^ (1 << chance.randrange(8))]) + content[at + 1 :]
            case 1:
                content = content[:at]
            case 2:
                content = content[:at] + content[end:]
            case 3:
                content = content[:end] + content[at:end] * chance.choice((1, 2, 50)) + content[end:]
            case _:
                content = content[:at] + chance.choice(PIECES) + content[at:]
    return content


def options(chance: random.Random, *names: str) -> list[str]:
    """Give some of the options of a command, with values of all kinds."""
    given = []
    for name in names:
        if chance.random() < 0.2:
            values = (
                ("0", "1", "2", "3", "7")
                if chance.random() < 0.4
                else NUMBERS
                if chance.random() < 0.7
                else (*WORDS, *(str(n)[:5000] for n in NASTY[:45]))
            )
            given += [name, chance.choice([v for v in values if "\0" not in v])]
    return given


# ---------------------------------------------------------------- the five kinds


def design_case(chance: random.Random, base: Path) -> Case:
    """A design whose entries or bytes were changed, or options of its command."""
    tables: Any = chance.choice(DESIGNS)
    files = {"parts.toml": PARTS.encode(), "rec.csv": RECORDING.encode()}
    match chance.randrange(4):
        case 0:
            text = torn(chance, document(tables).encode())
        case 1 if chance.random() < 0.3:
            files["parts.toml"], text = torn(chance, files["parts.toml"]), document(DESIGNS[-1]).encode()
        case _:
            for _ in range(chance.choice((0, 1, 1, 2, 3))):
                tables = mutated(chance, tables)
            text = document(tables if isinstance(tables, dict) else {"memory": tables}).encode(
                "utf-8", "replace"
            )
    name = chance.choice(("d.toml",) * 30 + ("pipe", "/dev/zero", "x" * 300, ".", "link.toml", "none.toml"))
    command = chance.choice(
        (
            ["simulate", name, "--json", *options(chance, "--sample", "--seed", "--sampling", "--only")],
            ["netlist", name, "-o", OUT, *options(chance, "--sample", "--seed", "--samples", "--dialect")],
            ["resources", name, "--json"],
            ["sensitivity", name, "--json"],
            ["draw", name, "-o", f"{OUT}.svg", *options(chance, "--what")],
            ["export", name, "-o", OUT, "--to", chance.choice((*WORDS, "svg", "verilog-a", "kicad", "bom"))],
            [
                "new",
                "-o",
                OUT,
                *options(chance, "--order", "--theta", "--bandwidth", "--family", "--opamp", "--error"),
            ],
            ["corners", name, "--json", "-n", "2", *options(chance, "--temperature", "--supply", "--seed")],
        )
    )
    return Case(command, {"d.toml": text, **files})


def table_case(chance: random.Random, base: Path) -> Case:
    """A recording, a bench table or a price list whose bytes or cells were changed."""
    design = document({**DESIGNS[0], "circuit": {"opamp": "OPA2192", "capacitance": "1 nF"}})
    kind = chance.choice(("recording", "recording", "bench", "prices", "wav", "parts"))
    content = {"recording": RECORDING, "bench": bench_table(), "prices": PRICES, "parts": PARTS}.get(
        kind, ""
    ).encode()
    if kind == "wav":
        content = (base / "rec.wav").read_bytes()
    if kind != "wav" and chance.random() < 0.5:
        rows = [row.split(",") for row in content.decode().splitlines()]
        for _ in range(chance.choice((1, 1, 3))):
            row = chance.choice(rows)
            cell = (
                str(chance.choice(NASTY))[:2000]
                if chance.random() < 0.5
                else chance.choice(("nan", "1,5", "O.9", ""))
            )
            row[chance.randrange(len(row))] = cell
        separator = chance.choice((",", ",", ";", "\t", " "))
        content = "\n".join(separator.join(row) for row in rows).encode("utf-8", "replace")
        content = content.decode("utf-8").encode(
            chance.choice(("utf-8", "utf-8-sig", "utf-16", "cp1252")), "replace"
        )
    if chance.random() < 0.6:
        content = torn(chance, content)
    name = {"wav": "t.wav", "parts": "parts.toml"}.get(
        kind, chance.choice(("t.csv",) * 9 + ("t.txt", "t.dat"))
    )
    read = chance.choice((name,) * 30 + ("pipe", "/dev/zero", "deep", "x" * 300))
    column = options(chance, "--column")
    command = {
        "recording": [
            "simulate",
            "d.toml",
            "--json",
            "--input",
            read,
            *column,
            *options(chance, "--channel"),
        ],
        "wav": ["new", "-o", OUT, "--input", read, *options(chance, "--channel", "--order", "--error")],
        "bench": ["analyze", "d.toml", "--json", "--measured", read, *column, *options(chance, "--skip")],
        "prices": ["resources", "d.toml", "--json", "--prices", read],
        "parts": ["resources", "p.toml", "--json"],
    }[kind]
    parts = document({**DESIGNS[0], "circuit": {"parts": read if kind == "parts" else name, "opamp": "MINE"}})
    return Case(command, {"d.toml": design.encode(), "p.toml": parts.encode(), name: content})


def bench_table() -> str:
    """Write what an instrument might, of three states."""
    rows = [
        [repr(k * 2e-5), *(f"{((k * (7 + m)) % 13 - 6) / 12.0:.4f}" for m in range(4))] for k in range(300)
    ]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([["time", "input", "m0", "m1", "m2"], *rows])
    return text.getvalue()


def model_case(chance: random.Random, base: Path) -> Case:
    """A SPICE model whose bytes or cards were changed; its deck is written, nothing is run."""
    model, inner = MODEL.encode(), INNER.encode()
    lines = MODEL.splitlines()
    match chance.randrange(4):
        case 0:
            model = torn(chance, model, 5)
        case 1:
            inner = torn(chance, inner, 5)
        case 2:
            k = chance.randrange(len(lines))
            words = lines[k].split()
            words[chance.randrange(len(words))] = str(chance.choice(NASTY))[:500]
            model = "\n".join([*lines[:k], " ".join(words), *lines[k + 1 :]]).encode("utf-8", "replace")
        case _:
            more = "\n".join(chance.choice(lines) for _ in range(chance.choice((1, 3, 10))))
            model = f"{MODEL}\n{more}\n".encode()
            inner = chance.choice((inner, b'.include "op.lib"\n', 300 * b'.include "inner.lib"\n', inner * 3))
    table = {"gain": "100 dB", "gbw": "10 MHz", "model": "op.lib", "subcircuit": "opamp"}
    if chance.random() < 0.2:
        table = mutated(chance, table)
    design = document({"memory": {"order": 2, "theta": "1 ms"}, "circuit": {"opamp": table}})
    command = ["netlist", "d.toml", "-o", OUT]
    return Case(command, {"d.toml": design.encode("utf-8", "replace"), "op.lib": model, "inner.lib": inner})


def store_case(chance: random.Random, base: Path) -> Case:
    """A stored run of which entries of the metadata or bytes of the arrays were changed, or files are missing."""
    name = chance.choice(("whole.zarr", "stopped.zarr"))
    files = sorted(str(p.relative_to(base / name)) for p in (base / name).rglob("*") if p.is_file())
    chosen = chance.choice([f for f in files if f.endswith("zarr.json")] if chance.random() < 0.6 else files)
    what, state = chance.randrange(10), chance.getrandbits(64)

    def edit(folder: Path) -> None:
        inner, file = random.Random(state), folder / name / chosen
        if what == 0:
            file.unlink()
        elif what == 1:
            file.unlink()
            os.mkfifo(file)
        elif what == 2 and chosen != "zarr.json":
            shutil.rmtree(file.parent)
        elif what < 6 and chosen.endswith("zarr.json"):
            content = mutated(inner, json.loads(file.read_bytes()))
            file.write_text(json.dumps(content), "utf-8", "replace")
        else:
            file.write_bytes(torn(inner, file.read_bytes()))

    samples = chance.choice(("20", "40", "1030"))
    command = chance.choice(
        (
            ["analyze", "d.toml", "--measured", "t.csv", "--run", name, "--json"],
            ["report", "d.toml", "-o", OUT, "--run", name, "--sections", "mismatch"],
            [
                "montecarlo",
                "d.toml",
                "--resume",
                "-o",
                name,
                "-n",
                samples,
                "--json",
                "--seed",
                "1",
                "--workers",
                "1",
            ],
        )
    )
    files_of = {"d.toml": document(DESIGNS[0]).encode(), "t.csv": bench_table().encode()}
    return Case(command, files_of, {name: name}, edit, f"{what} {chosen}")


def weights_case(chance: random.Random, base: Path) -> Case:
    """An archive of weights whose bytes, headers or arrays were changed, or the inputs of its network."""
    import numpy as np

    content = (base / "w.npz").read_bytes()
    files = {
        "d.toml": document({"memory": {"order": 2, "theta": "10 ms"}}).encode(),
        "x.csv": b"0.1\n0.2\n-0.3\n" * 5,
    }
    match chance.randrange(4):
        case 0:
            content = torn(chance, content)
        case 1:  # headers that say what they like
            at = content.find(b"'shape': (", chance.randrange(len(content) // 2)) + 10
            new = chance.choice((b"100000000000,", b"-1,", b"9" * 60 + b",", b"'x',", b"1,2,3,4,"))
            content = content[:at] + new + content[at + len(new) :]
        case 2:
            with np.load(io.BytesIO(content)) as read:
                arrays: dict[str, Any] = dict(read)
            key = chance.choice(list(arrays))
            wrong = [
                np.zeros(0),
                np.nan,
                np.inf,
                "x",
                np.zeros((2, 2, 2)),
                1e308,
                np.array([None]),
                -1,
                1j,
                True,
            ]
            if chance.random() < 0.2:
                del arrays[key]
            else:
                value = chance.choice(wrong)
                number = key != "method" and chance.random() < 0.5
                with np.errstate(over="ignore"):
                    arrays[key] = 1e308 * np.asarray(arrays[key]) if number else value
            kept = io.BytesIO()
            np.savez(kept, allow_pickle=True, **arrays)
            content = kept.getvalue()
        case _:
            files["x.csv"] = torn(chance, files["x.csv"])
    name = chance.choice(("w.npz",) * 30 + ("pipe", "/dev/zero", "deep", "x" * 300))
    given = ["--input", "x.csv"] if chance.random() < 0.6 else options(chance, "--steps")
    more = options(chance, "--bits", "--series", "--sample", "--seed")
    return Case(
        ["cell", name, "d.toml", "--engine", "exact", "--json", *given, *more], {**files, "w.npz": content}
    )


KINDS: dict[str, Callable[[random.Random, Path], Case]] = {
    "designs": design_case,
    "tables": table_case,
    "models": model_case,
    "stores": store_case,
    "weights": weights_case,
}


# ---------------------------------------------------------------- running a case


def prepare(base: Path) -> None:
    """Make the good files that the cases start from; in a child, for Zarr's threads do not live through a fork."""
    import numpy as np
    from scipy.io import wavfile

    from lmu_analog.design import Design
    from lmu_analog.ensembles.exact import exact_chunk
    from lmu_analog.ensembles.montecarlo import monte_carlo
    from lmu_analog.networks.network import lmu_layer
    from lmu_analog.networks.weights import to_npz
    from lmu_analog.storage.store import create, manifest

    (base / "d.toml").write_text(document(DESIGNS[0]))
    design = Design.load(base / "d.toml")
    monte_carlo(design, 20, 1, store=base / "whole.zarr", workers=1)
    stopped = create(base / "stopped.zarr", manifest(design, seed=1, engine="exact"), 1030)
    stopped.write([exact_chunk(design, 1, range(20))])
    wave = (1000.0 * np.sin(np.arange(400) / 7.0)).astype(np.int16)
    wavfile.write(base / "rec.wav", 50_000, np.stack([wave, wave[::-1]], axis=1))
    random_ = np.random.default_rng(0)
    shapes = {
        "input_encoders": (1, 1), "hidden_encoders": (2, 1), "memory_encoders": (2, 1), "input_kernel": (1, 2),
        "hidden_kernel": (2, 2), "memory_kernel": (2, 2), "bias": (2,),
    }  # fmt: skip
    arrays = {name: 0.3 * random_.standard_normal(shape) for name, shape in shapes.items()}
    to_npz(base / "w.npz", lmu_layer(arrays, theta=10.0))


def forked(work: Callable[[], int]) -> tuple[int | None, float]:
    """Do some work in a forked child: its exit status (None where it had to be stopped) and processor seconds."""
    child = os.fork()
    if not child:
        status = 70
        try:
            status = work()
        finally:
            os._exit(status)
    end, done = time.monotonic() + WALL_SECONDS, (0, 0, None)
    while done[0] == 0 and time.monotonic() < end:
        done = os.wait4(child, os.WNOHANG)
        time.sleep(0.002)
    stopped = done[0] == 0
    if stopped:
        os.kill(child, signal.SIGKILL)
        done = os.wait4(child, 0)
    usage: Any = done[2]
    return None if stopped else os.waitstatus_to_exitcode(done[1]), usage.ru_utime + usage.ru_stime


def snapshot(folder: Path) -> dict[str, object]:
    """Give what a folder holds: contents of files, targets of links."""
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = str(path.readlink())
        elif path.is_file():
            found[name] = path.read_bytes()
        else:
            found[name] = "folder" if path.is_dir() else "special"
    return found


def child(folder: Path, command: list[str]) -> int:
    """Run a command in its folder, watched; 70 for a traceback."""
    from lmu_analog.cli import run_command

    with (folder.parent / "said.txt").open("w", errors="replace") as said:
        sys.stdout = sys.stderr = said
        os.dup2(said.fileno(), 1)
        os.dup2(said.fileno(), 2)
        os.chdir(folder)
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CPU, (int(PROCESSOR_SECONDS) + 2, int(PROCESSOR_SECONDS) + 4))
        events = (folder.parent / "events.txt").open("w")
        own = os.open(folder.parent / "events.txt", os.O_WRONLY | os.O_APPEND)
        inside = (str(folder), str(folder.parent / "tmp"), "/dev/null")

        def watch(event: str, arguments: tuple[Any, ...]) -> None:
            if event in FORBIDDEN or event.startswith("pickle.find_class"):
                if event == "subprocess.Popen" and any(word in str(arguments[:2]) for word in STARTED):
                    return
                if event == "pickle.find_class" and str(arguments[0]).split(".")[0] in PICKLED:
                    return
                os.write(own, f"{event} {str(arguments)[:200]}\n".encode("utf-8", "replace"))
            elif event == "open" and isinstance(arguments[0], str | bytes):
                writes = isinstance(arguments[2], int) and arguments[2] & (
                    os.O_WRONLY | os.O_RDWR | os.O_CREAT
                )
                path = os.path.realpath(os.fsdecode(arguments[0]))
                if writes and not path.startswith(inside):
                    os.write(own, f"writes {path}\n".encode("utf-8", "replace"))

        sys.addaudithook(watch)
        try:
            status = run_command(command)
        except BaseException:  # noqa: BLE001 - whatever it is, it is a fault
            traceback.print_exc()
            status = 70
        said.flush()
        events.close()
    return status


def run_case(kind: str, number: int, seed: int, base: Path) -> dict[str, Any]:
    """Run one case: what it was, how it ended and what was wrong with that."""
    chance = random.Random(f"{seed} {kind} {number}")
    case = KINDS[kind](chance, base)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        outer = Path(name)
        folder = outer / "case"
        (folder / NESTED).mkdir(parents=True)
        (outer / "tmp").mkdir()
        for file, content in case.files.items():
            (folder / file).write_bytes(content)
        for target, source in case.folders.items():
            shutil.copytree(base / source, folder / target)
        os.mkfifo(folder / "pipe")
        (folder / "loop").symlink_to("loop")
        (folder / "link.toml").symlink_to("d.toml")
        if case.edit is not None:
            case.edit(folder)
        before = snapshot(folder)
        os.environ["TMPDIR"] = tempfile.tempdir = str(outer / "tmp")
        try:
            status, seconds = forked(lambda: child(folder, case.command))
        finally:
            tempfile.tempdir = None
            del os.environ["TMPDIR"]
        said = (outer / "said.txt").read_text(errors="replace") if (outer / "said.txt").exists() else ""
        events = (outer / "events.txt").read_text(errors="replace") if (outer / "events.txt").exists() else ""
        faults = list(found_faults(case, status, seconds, said=said, events=events))
        faults += [f"left in TMPDIR: {p.name}" for p in (outer / "tmp").iterdir()]
        after = snapshot(folder)
        output = case.command[case.command.index("-o") + 1] if "-o" in case.command else None
        for changed in sorted(k for k in {*before, *after} if before.get(k) != after.get(k)):
            mine = output is not None and (changed == output or changed.startswith(f"{output}/"))
            if not mine:
                faults.append(f"changed {changed}")
    return {
        "kind": kind, "number": number, "status": status, "seconds": seconds, "command": " ".join(case.command)[:300],
        "edit": case.say, "faults": faults, "said": said[-3000:],
    }  # fmt: skip


def found_faults(case: Case, status: int | None, seconds: float, *, said: str, events: str) -> Any:
    """Say what is wrong with how a case ended."""
    if status is None or seconds > PROCESSOR_SECONDS:
        yield f"hang: {seconds:.1f} s of processor time"
    elif status not in (0, 1, 2) or "Traceback" in said:
        yield f"status {status}: {said.strip().splitlines()[-1][:300] if said.strip() else 'nothing said'}"
    if status in (1, 2):
        lines = said.strip().splitlines()
        complaint = [k for k, line in enumerate(lines) if line.startswith("lmu-analog: ")]
        if not complaint or len(lines) - complaint[-1] > 3:
            yield f"status {status} with {len(lines)} lines and {len(complaint)} complaints"
        yield from (f"a line of {len(line)} characters" for line in lines if len(line) > LONGEST)
    yield from (f"event {line[:200]}" for line in events.splitlines())


def load_all() -> None:
    """Import once what the children need, so that each is a fork and little more."""
    import lmu_analog

    for module in pkgutil.walk_packages(lmu_analog.__path__, "lmu_analog."):
        # The player in C is a library that ctypes loads, not a module, though its name is that of one.
        skipped = module.name.endswith(("__main__", "engine.player"))
        if not skipped and not any(f".{word}" in module.name for word in SKIPPED):
            importlib.import_module(module.name)
    importlib.import_module("matplotlib.backends.backend_svg")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cases", type=int, default=500, help="of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=KINDS)
    parser.add_argument("--case", type=int, help="run this one alone, and show what it said")
    parser.add_argument("--no-write", action="store_true", help="no JSON")
    given = parser.parse_args()
    load_all()
    kinds = [given.only] if given.only else list(KINDS)
    numbers = range(given.cases) if given.case is None else [given.case]
    rows = []
    with tempfile.TemporaryDirectory(prefix="fuzz-base-") as name:
        base = Path(name)
        status, _ = forked(lambda: prepare(base) or 0)
        if status:
            raise SystemExit("the good files could not be made")
        for kind in kinds:
            for number in numbers:
                row = run_case(kind, number, given.seed, base)
                rows.append(row)
                for fault in row["faults"]:
                    print(f"{kind} {number}: {fault} | {row['command'][:120]} {row['edit']}", flush=True)
                if given.case is not None:
                    print(row["command"], row["status"], row["said"], sep="\n")
            mine = [row for row in rows if row["kind"] == kind]
            ends = dict(sorted(Counter(str(row["status"]) for row in mine).items()))
            bad, slowest = sum(bool(row["faults"]) for row in mine), max(row["seconds"] for row in mine)
            print(
                f"{kind:8s} {len(mine)} cases, status {ends}, slowest {slowest:.1f} s, {bad} with faults",
                flush=True,
            )
    summary(rows, given.seed, write=given.case is None and not given.no_write)
    return int(any(row["faults"] for row in rows))


def summary(rows: list[dict[str, Any]], seed: int, *, write: bool) -> None:
    bad = [row for row in rows if row["faults"]]
    print(f"{len(rows)} cases, {len(bad)} with faults")
    if not write:
        return
    kinds = {
        kind: {
            "cases": sum(row["kind"] == kind for row in rows),
            "status": dict(Counter(str(row["status"]) for row in rows if row["kind"] == kind)),
            "slowest_seconds": max((row["seconds"] for row in rows if row["kind"] == kind), default=0.0),
            "faults": sum(bool(row["faults"]) for row in rows if row["kind"] == kind),
        }
        for kind in KINDS
    }
    machine = {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "system": platform.system(),
    }
    content = {"seed": seed, "cases": len(rows), "faults": bad, "kinds": kinds, **machine}
    path = Path(__file__).parent / "results" / "fuzz.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
