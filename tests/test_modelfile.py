"""Model files are untrusted: what could run, read or write anything is refused with its line number."""

import re
import subprocess

import numpy as np
import pytest

from lmu_analog.circuits.modelfile import read_model
from lmu_analog.errors import DesignError
from lmu_analog.spice.ngspice import named
from lmu_analog.spice.rawfile import read_raw

GOOD = """* OPX, a made-up op-amp of one pole\u00b5
.SUBCKT OPX inp inn vcc vee out PARAMS: gain=1e5
Rin inp inn 1Meg ; input
Gin 0 x inp inn 1m
+ $ a comment between
Rx x 0 {gain/1m}
Cx x 0 1.59e-9
.model DX D(IS=1e-14
+ RS=1)
D1 x vcc DX
D2 vee x DX
Xout x out BUF
.ENDS OPX
.subckt buf a b
Eb c 0 a 0 1
Rb c b 50
.ends
"""


@pytest.fixture
def written(tmp_path):
    def write(text, name="opx.lib"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode("latin-1"))
        return path

    return write


def test_a_good_model_gives_its_pins_and_its_cards_without_comments(written):
    model = read_model(written(GOOD), "opx")
    assert model.name == "opx"
    assert model.pins == ("inp", "inn", "vcc", "vee", "out")
    lines = model.text.splitlines()
    assert not [line for line in lines if re.search(r"^[*+]|[;$]", line)]
    assert ".model DX D(IS=1e-14 RS=1)" in lines
    assert lines[0].startswith(".SUBCKT OPX")


def ran_in(folder, deck, *, check):
    (folder / "deck.cir").write_text(deck, "utf-8")
    command = ["ngspice", "-b", "-r", "out.raw", "deck.cir"]
    return subprocess.run(command, cwd=folder, check=check, capture_output=True, text=True)


@pytest.mark.ngspice
def test_ngspice_runs_a_vetted_model(written, tmp_path):
    model = read_model(written(GOOD), "OPX")
    deck = (
        f"title\n{model.text}Vin u 0 DC 0 AC 1\nVp p 0 5\nVm m 0 -5\nX1 u y p m y {model.name}\n"
        "R1 y 0 1e3\n.ac lin 1 100.0 100.0\n.save v(y)\n.end\n"
    )
    ran_in(tmp_path, deck, check=True)
    vectors = named(read_raw(tmp_path / "out.raw"))
    # A follower: one over its loop gain of 1e5 or more, at 100 Hz and through 50 Ohm.
    assert np.abs(vectors["v(y)"][0]) == pytest.approx(1.0, abs=1e-2)


BODY = ".subckt opx p n out\nR1 p n 1k\n"
HOSTILE = {
    "control": (BODY + ".control\nshell rm -rf ~\n.endc\n.ends\n", 3, "only elements within"),
    "control in capitals and spaces": (BODY + "   .CoNtRoL\n.ends\n", 3, "only elements within"),
    "control by tab": (BODY + "\t.control\n.ends\n", 3, "only elements within"),
    "a continued card": (".subckt opx p n\n+ out\n.exec rm\n.ends\n", 3, "only elements within"),
    "exec": (BODY + ".exec rm\n.ends\n", 3, "only elements within"),
    "shell": (BODY + "shell rm -rf ~\n.ends\n", None, ""),
    "csdf": (BODY + ".csdf\n.ends\n", 3, "only elements within"),
    "options": (BODY + ".options filetype=ascii\n.ends\n", 3, "only elements within"),
    "write": (".write out.raw\n" + BODY + ".ends\n", 1, "only elements within"),
    "print": (BODY + ".print tran v(1) > /etc/passwd\n.ends\n", 3, "only elements within"),
    "lib": (".lib '/etc/passwd' tt\n" + BODY + ".ends\n", 1, "only elements within"),
    "global": (".global x0\n" + BODY + ".ends\n", 1, "only elements within"),
    "end": (BODY + ".ends\n.end\n", 4, "only elements within"),
    "if": (BODY + ".if (1)\n.ends\n", 3, "only elements within"),
    "hdl": (BODY + ".hdl evil.va\n.ends\n", 3, "only elements within"),
    "save": (BODY + ".save all\n.ends\n", 3, "only elements within"),
    "include above": (".include ../secret\n" + BODY + ".ends\n", 1, "is not in the file's folder"),
    "include absolute": (".inc '/etc/passwd'\n" + BODY + ".ends\n", 1, "is not in the file's folder"),
    "include nothing": (".include\n" + BODY + ".ends\n", 1, "is not in the file's folder"),
    "include two": (".include a b\n" + BODY + ".ends\n", 1, "is not in the file's folder"),
    "a code model": (BODY + "A1 %vd([p n]) src\n.ends\n", 3, "only elements within"),
    "filesource": (BODY + ".model src filesource (file=x)\n.ends\n", 3, "names a file is not allowed"),
    "filesource without a name": (BODY + ".model src filesource\n.ends\n", 3, "of type 'filesource' is not"),
    "d_source": (BODY + ".model src d_source(input_file = x)\n.ends\n", 3, "names a file is not allowed"),
    "model of nothing": (BODY + ".model\n.ends\n", 3, "of type 'nothing' is not allowed"),
    "a source from a file": (BODY + "V1 p n PWL FILE x\n.ends\n", 3, "names a file is not allowed"),
    "a wave file": (BODY + "V1 p n wavefile=x\n.ends\n", 3, "names a file is not allowed"),
    "a compact model": (BODY + "N1 p n mod\n.ends\n", 3, "only elements within"),
    "a backslash": (BODY + "R2 p n 1k \\\\\n.ends\n", 3, r"the character '\\\\' is not allowed"),
    "a backtick": (BODY + "R2 p n `id`\n.ends\n", 3, "the character '`' is not allowed"),
    "a quote": (BODY + 'R2 p n "x"\n.ends\n', 3, "the character '\"' is not allowed"),
    "a null": (BODY + "R2 p n 1k\0\n.ends\n", 3, r"the character '\\x00' is not allowed"),
    "an escape": (BODY + "R2 p n \x1b[31m\n.ends\n", 3, r"the character '\\x1b' is not allowed"),
    "an element of the circuit": ("R1 u 0 1\n" + BODY + ".ends\n", 1, "outside of any .subckt"),
    "too many ends": (BODY + ".ends\n.ends\n", 4, ".ends without .subckt"),
    "a subcircuit twice": (BODY + ".ends\n" + BODY + ".ends\n", 4, "is there twice"),
    "a pin twice": (".subckt opx p P out\nR1 p out 1\n.ends\n", 1, "a pin is named twice"),
    "a name of a path": (".subckt ../x p n\nR1 p n 1\n.ends\n", 1, "name holds letters"),
    "no name": (".subckt\nR1 p n 1\n.ends\n", 1, "name holds letters"),
    "a call of nothing": (BODY + "X1 p n missing a = 1\n.ends\n", 3, "'missing' is not in the file"),
    "a continuation of nothing": ("+ .control\n" + BODY + ".ends\n", 1, "a \\+ continues nothing"),
}  # fmt: skip


@pytest.mark.parametrize("name", [n for n in HOSTILE if HOSTILE[n][1]])
def test_a_hostile_file_is_refused_with_its_line(written, name):
    text, line, message = HOSTILE[name]
    with pytest.raises(DesignError, match=rf"^opx\.lib, line {line}: .*{message}") as refusal:
        read_model(written(text), "opx")
    assert len(str(refusal.value).splitlines()) == 1
    assert "\x1b" not in str(refusal.value)


def test_a_word_of_the_shell_is_an_element_of_that_letter_at_most(written):
    # ``shell`` begins with s: outside .control it is a switch that ngspice cannot parse, and runs nothing.
    assert "shell" in read_model(written(HOSTILE["shell"][0]), "opx").text


@pytest.mark.ngspice
def test_a_word_of_the_shell_runs_nothing(written, tmp_path):
    model = read_model(written(BODY + f"shell touch {tmp_path}/ran\n.ends\n"), "opx")
    deck = f"title\nV1 u 0 AC 1\nX1 u 0 y opx\n{model.text}R9 y 0 1\n.ac lin 1 1.0 1.0\n.save v(y)\n.end\n"
    said = ran_in(tmp_path, deck, check=False)
    assert "shell" in said.stdout + said.stderr  # it was read, as an element that is wrong
    assert not (tmp_path / "ran").exists()


def test_comments_that_ngspice_obeys_do_not_come_through(written):
    text = "*# shell rm\n" + BODY + "*ng_script\nR2 p out 1k $ shell\n// .control\n.ends\n"
    assert read_model(written(text), "opx").text == ".subckt opx p n out\nR1 p n 1k\nR2 p out 1k\n.ends\n"


def test_an_included_file_of_the_folder_is_taken_in_and_vetted(written):
    written(".model DX D(IS=1e-14)\n", "diodes.lib")
    good = ".include 'diodes.lib'\n" + BODY + "D1 p n DX\n.ends\n"
    assert read_model(written(good), "opx").text.startswith(".model DX D(IS=1e-14)\n.subckt")
    written("\n.control\n", "diodes.lib")
    with pytest.raises(DesignError, match=r"^diodes\.lib, line 2: only elements"):
        read_model(written(good), "opx")


def test_files_that_include_themselves_and_links_out_of_the_folder_are_refused(written, tmp_path):
    with pytest.raises(DesignError, match=r"includes lie more than 8 deep"):
        read_model(written(".include opx.lib\n"), "opx")
    (tmp_path / "out.lib").symlink_to("/etc/passwd")
    with pytest.raises(
        DesignError, match=r"^opx\.lib, line 1: .include 'out\.lib' is not in the file's folder"
    ):
        read_model(written(".include out.lib\n"), "opx")


@pytest.mark.parametrize(("text", "message"), [
    ("", r"^opx\.lib has no \.subckt 'opx'; it has none$"),
    (".subckt other p n\nR1 p n 1\n.ends\n", r"^opx\.lib has no \.subckt 'opx'; it has other$"),
    (BODY, r"^opx\.lib: \.subckt opx is never ended; add \.ends$"),
    (b"*" * 1_000_001, r"^opx\.lib has more than 1000000 bytes"),
])  # fmt: skip
def test_a_file_without_the_model_is_refused(written, text, message):
    with pytest.raises(DesignError, match=message):
        read_model(written(text), "opx")


def test_what_is_no_file_is_refused(tmp_path):
    with pytest.raises(DesignError, match=r"^'none\.lib' is no file; give a SPICE model file$"):
        read_model(tmp_path / "none.lib", "opx")
