"""Model files are untrusted: what could run, read or write anything is refused with its line number."""

import re
import subprocess

import numpy as np
import pytest

from lmu_analog.circuits.devices.modelfile import read_model
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
    "write": (".write out.raw\n" + BODY + ".ends\n", 1, "only elements within"),
    "print": (BODY + ".print tran v(1) > /etc/passwd\n.ends\n", 3, "only elements within"),
    "lib": (".lib '/etc/passwd' tt\n" + BODY + ".ends\n", 1, "only elements within"),
    "analyses": (BODY + ".tran 1 1\n.ends\n", 3, "only elements within"),
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
    "a subcircuit twice": (BODY + ".ends\n" + BODY + "R2 p n 1\n.ends\n", 7, "is there twice, and differs"),
    "a pin twice": (".subckt opx p P out\nR1 p out 1\n.ends\n", 1, "a pin is named twice"),
    "a name of a path": (".subckt ../x p n\nR1 p n 1\n.ends\n", 1, "name holds letters"),
    "no name": (".subckt\nR1 p n 1\n.ends\n", 1, "name holds letters"),
    "a section of a library": (".lib amps.lib tt\n" + BODY + ".ends\n", 1, "only elements within"),
    "a model that writes a file": (BODY + ".model m nmos level=1 paramchk=1\n.ends\n", 3, "paramchk makes ngspice"),
    "a model of a level that does": (BODY + ".model m nmos (level = 8)\n.ends\n", 3, "level 8 of nmos is not"),
    "a level by a parameter": (BODY + ".model m nmos level={k}\n.ends\n", 3, "level {k} of nmos is not"),
    "a core": (BODY + ".model m core(h_array=[0 1])\n.ends\n", 3, "of type 'core' is not allowed"),
    "a subcircuit that contains itself": (BODY + "X1 p n out opx\n.ends\n", 3, "'opx' contains itself"),
    "two that contain each other": (
        BODY + "X1 p n b\n.ends\n.subckt b p n\nX1 p n n opx\n.ends\n", 6, "'opx' contains itself"),
    "a function that calls itself": (BODY + ".func f(x) {f(x)}\nB1 n 0 V=f(1)\n.ends\n", 4, "'f' calls itself"),
    "functions that call each other": (
        ".func f(x) {g(x)}\n.func g(x) {f(x)}\n" + BODY + "B1 n 0 V={f(1)}\n.ends\n", 5, "calls itself"),
    "an unknown function": (BODY + "E1 n 0 VALUE={1+foo(V(p))}\n.ends\n", 3, "ngspice has no function 'foo'"),
    "an unknown function in a parameter": (BODY + ".param k={foo(1)}\n.ends\n", 3, "has no function 'foo'"),
    "an unknown function of the file": (
        ".param k={foo(1)}\n" + BODY + "R2 p n {k}\n.ends\n", 1, "has no function 'foo'"),
    "a random number": (BODY + "R2 p n {gauss(1,2,3)}\n.ends\n", 3, "'gauss' draws random numbers"),
    "LIMIT of two values": (BODY + "B1 n 0 V=limit(V(p),1)\n.ends\n", 3, "'limit' takes 3 values, not 2"),
    "a maximum of three": (BODY + "B1 n 0 V=max(V(p),1,2)\n.ends\n", 3, "'max' takes 2 values, not 3"),
    "an open bracket": (BODY + "B1 n 0 V=max(V(p),1\n.ends\n", 3, "a bracket '\\)' is missing"),
    "a bracket too many": (BODY + "B1 n 0 V={max(V(p),1))}\n.ends\n", 3, "a bracket '\\)' too many"),
    "an open brace": (BODY + "B1 n 0 V={max(V(p),1)\n.ends\n", 3, "a brace is not closed"),
    "a transfer function": (BODY + "E1 n 0 LAPLACE {V(p)} = {1/(1+s)}\n.ends\n", 3, "LAPLACE, a transfer fun"),
    "a table over frequency": (BODY + "G1 n 0 FREQ {V(p)} = (0,0,0)\n.ends\n", 3, "FREQ, a table over freq"),
    "a polynomial of many": (BODY + "E1 n 0 POLY(1000000000) p 0 1\n.ends\n", 3, "a polynomial of 1000000000"),
    "AKO of nothing": (BODY + ".model d2 ako:d1 d(is=1)\n.ends\n", 3, "AKO of 'd1', which is no model"),
    "AKO of another type": (
        ".model d1 npn\n.model d2 ako:d1 d(is=1)\n" + BODY + ".ends\n", 2, "AKO of a model of type npn"),
    "a model defined twice": (
        ".model d1 d(is=1)\n.model d1 d(is=2)\n" + BODY + ".ends\n", 2, "is defined otherwise in opx.lib, line 1"),
    "a switch of another kind": (
        BODY + "S1 p n p n s1\n.model s1 vswitch(vt=1)\n.ends\n", 3, "VSWITCH with 'vt' is not read"),
    "subcircuits in subcircuits": (BODY + "".join(f".subckt s{k} a\n" for k in range(9)), 10, "more than 8 deep"),
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
    assert read_model(written(good), "opx").text.startswith(".subckt opx p n out\n.model DX D(IS=1e-14)\n")
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
    (b"*" * 1_000_001, r"^opx\.lib: larger than 1 MB; give a SPICE model file"),
])  # fmt: skip
def test_a_file_without_the_model_is_refused(written, text, message):
    with pytest.raises(DesignError, match=message):
        read_model(written(text), "opx")


def test_what_is_no_file_is_refused(tmp_path):
    with pytest.raises(DesignError, match=r"^none\.lib: no such file; give a SPICE model file$"):
        read_model(tmp_path / "none.lib", "opx")


# --- What makers ship ---

AMP = """* an op-amp
.SUBCKT {name} plus minus vcc vee out
Rin plus minus 1G
G1 0 x plus minus 1m
R1 x 0 1G
.ENDS {name}
"""


@pytest.mark.parametrize("encoding", ["ascii", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "latin-1"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_files_are_read_in_the_encodings_and_with_the_line_ends_of_makers(written, encoding, end):
    text = AMP.format(name="OPX").replace(
        "an op-amp", "an op-amp" if encoding == "ascii" else "\u00b5A at 25 \u00b0C"
    )
    content = text.replace("\n", end).encode(encoding)
    if encoding == "utf-16-be":  # without a mark it could be anything
        content = b"\xfe\xff" + content
    assert read_model(written(content), "opx").text.splitlines()[1:3] == [
        "Rin plus minus 1G",
        "G1 0 x plus minus 1m",
    ]


@pytest.mark.parametrize(("name", "stands_as"), [
    ("OPX", "opx"), ("741AMP", "u_741amp"), ("MYAMP/101", "u_myamp_101"), ("OP_AMP", "u_op_amp"),
    ("LM358-N", "lm358-n"),
])  # fmt: skip
def test_names_of_makers_are_found_and_stand_as_ngspice_reads_them(written, name, stands_as):
    model = read_model(written(AMP.format(name=name)), name)
    assert model.name == stands_as
    assert model.text.splitlines()[0].lower() == f".subckt {stands_as} plus minus vcc vee out"


def test_what_is_the_circuits_is_left_out_with_a_note(written):
    text = (
        ".OPTIONS reltol=1\n.global x0\n" + BODY + ".temp 125\n.IC V(n)=1\n.ends\n.END\nThat was all: `rm`\n"
    )
    model = read_model(written(text), "opx")
    assert model.text == ".subckt opx p n out\nR1 p n 1k\n.ends\n"
    assert model.notes == (
        "opx.lib: left out, for they are the circuit's: .options (line 1), .global (line 2), .temp (line 5), "
        ".ic (line 6), .end (line 8)",
    )


def test_parameters_that_ngspice_has_no_like_of_are_left_out_with_a_note(written):
    cards = ".model J1 NJF(VTO=-2 Vk=200 alpha=1u T_ABS=27 LAMBDA=1m)\n.model J2 ako:J1 NJF(vto=-3, isr=1)\n"
    model = read_model(written(BODY + cards + ".ends\n"), "opx")
    assert model.text.splitlines()[1:3] == [
        ".model J1 NJF(VTO=-2 LAMBDA=1m)", ".model J2 NJF(LAMBDA=1m vto=-3)",
    ]  # fmt: skip
    assert model.notes == (
        "opx.lib: left out, for ngspice has no such parameters: Vk, alpha, T_ABS of J1 (line 3); isr of J2 (line 4)",
    )


def test_a_library_without_a_section_is_an_include(written):
    written(".model DX D(IS=1e-14)\n", "diodes.lib")
    text = '.LIB "diodes.lib" ; ours\n.lib diodes.lib\n' + BODY + "D1 p n DX\n.ends\n"
    assert read_model(written(text), "opx").text.splitlines()[1] == ".model DX D(IS=1e-14)"


def test_nothing_of_a_file_stands_outside_of_its_subcircuits(written):
    outside = ".param k=2 q={k*2} unused=5\n.func f(x) {x*k}\n.model DX D(IS=1)\n.model DY D(IS=2)\n"
    inside = "R2 p n {f(q)}\nD1 p n DX\nX1 p n b\n"
    text = (
        outside + BODY + inside + ".ends\n.subckt b p n\nR1 p n {k}\n.ends\n.subckt c p n\nR1 p n 1\n.ends\n"
    )
    assert read_model(written(text), "opx").text.splitlines() == [
        ".subckt opx p n out", ".param k=2", ".param q={k*2}", ".func f(x) {x*k}", ".model DX D(IS=1)",
        "R1 p n 1k", "R2 p n {f(q)}", "D1 p n DX", "X1 p n b", ".ends",
        ".subckt b p n", ".param k=2", "R1 p n {k}", ".ends",
    ]  # fmt: skip


def test_a_subcircuits_own_names_come_before_those_of_the_file(written):
    outside = ".param k=2 r=7\n.func f(x) {x*k}\n.model DX D(IS=1)\n"
    inside = ".subckt opx p n PARAMS: r = 5\n.param k=3\n.func f(x) {x}\n.model DX D(IS=2)\n"
    inside += "R1 p n {f(k)*r}\nD1 p n DX\n"
    assert read_model(written(outside + inside + ".ends\n"), "opx").text.splitlines() == [
        ".subckt opx p n PARAMS: r=5", ".param k=3", ".func f(x) {x}", ".model DX D(IS=2)", "R1 p n {f(k)*r}",
        "D1 p n DX", ".ends",
    ]  # fmt: skip


# --- Limits, found before ngspice starts ---


def test_includes_within_includes_end_in_a_line(written):
    # Twelve files of a kilobyte: 20 includes each, 20^6 times a resistor.
    for k in range(7):
        written((f".include f{k + 1}.lib\n" * 20) if k < 6 else "*\n" * 100, f"f{k}.lib")
    with pytest.raises(DesignError, match=r"the model is longer than 100000 lines or 2000000 characters"):
        read_model(written(".include f0.lib\n" + BODY + ".ends\n"), "opx")


def test_subcircuits_within_subcircuits_end_in_a_line(written):
    levels = "".join(f".subckt s{k} p n\n" + f"X1 p n s{k + 1}\n" * 10 + ".ends\n" for k in range(8))
    text = BODY + "X1 p n s0\n.ends\n" + levels + ".subckt s8 p n\nR1 p n 1\n.ends\n"
    with pytest.raises(DesignError, match=r"line \d+: the model grows beyond 50000 elements once expanded"):
        read_model(written(text), "opx")
    assert read_model(written(text), "s5").size == 1000 + 10 + 100 + 1000  # resistors and calls


def test_functions_within_functions_end_in_a_line(written):
    functions = (
        "".join(f".func f{k}(x) {{f{k + 1}(x)+f{k + 1}(x)}}\n" for k in range(20)) + ".func f20(x) {x}\n"
    )
    with pytest.raises(
        DesignError, match=r"line 24: its functions grow to .*e\+06 characters; at most 100000"
    ):
        read_model(
            written(functions.replace(".func f0(", BODY + ".func f0(", 1) + "B1 n 0 V=f0(1)\n.ends\n"), "opx"
        )


def test_a_subcircuit_of_many_elements_ends_in_a_line(written):
    with pytest.raises(DesignError, match=r"line 1: the model grows beyond 50000 elements once expanded"):
        read_model(written(BODY + "R2 p n 1\n" * 50_001 + ".ends\n"), "opx")


@pytest.mark.parametrize("text", [
    BODY + "R2 p n {1" + "**3" * 5000 + "}\n.ends\n",
    BODY + "B1 n 0 V=" + "(" * 5000 + "1" + ")" * 5000 + "\n.ends\n",
    BODY + "R2 p n\n" + "+ 1\n" * 60_000 + ".ends\n",
    "".join(f".func f{k}(x) {{f{k + 1}(x)}}\n" for k in range(500)) + BODY + "B1 n 0 V={f0(1)}\n.ends\n",
])  # fmt: skip
def test_depth_and_length_end_in_a_line(written, text):
    with pytest.raises(
        DesignError,
        match=r"opx\.lib, line \d+: .*(more than 50 deep|more than 20000 characters|grow to 1e.18)",
    ):
        read_model(written(text), "opx")


# --- In ngspice: what a two-pole makes of 1 V, see the pages of PSpice and LTspice on these words ---

KINDS = {
    "LIMIT": ("E1 o 0 VALUE={LIMIT(3*V(u),-2,2)}", 2.0),
    "IF with &": ("E1 o 0 VALUE {IF(V(u)>.5 & V(u)<2, 7, 8)}", 7.0),
    "IF with ~ and |": ("E1 o 0 VALUE = {IF(~(V(u)>.5) | V(u) == 5, 7, 8)}", 8.0),
    "IF in IF": ("E1 o 0 VALUE={IF(V(u)>0,IF(V(u)>2,1,LIMIT(V(u),-.5,.5)),3)}", 0.5),
    "PWR": ("B1 o 0 V=pwr(-2*V(u),3)", 8.0),
    "PWRS": ("B1 o 0 V=pwrs(-2*V(u),3)", -8.0),
    "an odd power": ("B1 o 0 V=(-2*V(u))**3", -8.0),
    "an even power": ("B1 o 0 V=(-2*V(u))**2", 4.0),
    "an odd pow": ("B1 o 0 V=pow(-2*V(u),3)", -8.0),
    "STP": ("B1 o 0 V=stp(V(u))+stp(-V(u))*10", 1.0),
    "uramp": ("B1 o 0 V=uramp(V(u))+uramp(-V(u))*10", 1.0),
    "int, round, sgn": ("B1 o 0 V=int(-1.6*V(u))+10*round(1.6*V(u))+100*sgn(-V(u))", -81.0),
    "hypot and arctan": ("B1 o 0 V=hypot(3*V(u),4)+arctan(V(u))", 5.0 + np.pi / 4.0),
    "buf and inv": ("B1 o 0 V=buf(V(u))+10*inv(V(u))", 1.0),
    "in parameters": (
        ".param a={limit(5,1,2)} b={if(a>1,3,4)} c=uramp(2) d={pwrs(-2,2)} e={int(-1.6)} f='a+b'\n"
        "B2 o 0 V={1000*a+100*b+10*c+d+e/10+f/1000}", 2000.0 + 300.0 + 20.0 - 4.0 - 0.1 + 0.005),
    "constants": (".param k={temp/27+pi-pi}\nE1 o 0 VALUE={TEMP+pi*k}", 27.0 + np.pi),
    "TABLE as a function": ("E1 o 0 VALUE={TABLE(3*V(u),0,0,1,2)+10*TABLE(-V(u),0,0,1,2)+TABLE(V(u)/4,0,0,1,2)}", 2.5),
    "TABLE": ("E1 o 0 TABLE {3*V(u)} ((0,0)(1,2))", 2.0),
    "TABLE without brackets": ("E1 o 0 TABLE { V(u) * .25 } = 0 0 1 2", 0.5),
    "TABLE at its corner": ("G1 0 o TABLE {V(u)} = (-1,-2m) (1,2m)\nR1 o 0 1k", 2.0),
    "VALUE in quotes": ('E1 o 0 VALUE="2*V(u)"', 2.0),
    "VALUE bare": ("E1 o 0 VALUE=2*V(u)", 2.0),
    "POLY": ("E1 o 0 POLY(1) (u,0) 0 2 1", 3.0),
    "RES": ("R1 u o RM 1k\nR2 o 0 1k\n.MODEL RM RES (R=3 TC1=0 DEV=5%)", 0.25),
    "RES behind": ("R1 u o 1k RM\nR2 o 0 1k\n.MODEL RM RES (R=3 TC1=0 LOT/UNIFORM=5%)", 0.25),
    "CAP": ("R1 u o 3k\nR2 o 0 1k\nC1 o 0 CM 1n\n.MODEL CM CAP(C=2 )", 0.25),
    "IND": ("R1 u 1 3k\nR2 o 0 1k\nL1 o 1 LM 1n\n.MODEL LM IND(L=2 )", 0.25),
    "VSWITCH on": ("S1 u o u 0 SM\nR2 o 0 3k\n.MODEL SM VSWITCH(RON=1k ROFF=1MEG VON=.9 VOFF=0)", 0.75),
    "VSWITCH half-way": ("S1 u o u 0 SM\nR2 o 0 1k\n.MODEL SM VSWITCH(RON=10 ROFF=100k VON=2 VOFF=0)", 0.5),
    "VSWITCH off": ("S1 u o u 0 SM\nR2 o 0 1k\n.MODEL SM VSWITCH(RON=1k ROFF=1MEG VON=0 VOFF=.5)", 1.0 / 1001.0),
    "ISWITCH": (
        "V9 u 9 0\nR9 9 0 1k\nW1 u o V9 SM\nR2 o 0 3k\n.MODEL SM ISWITCH(RON=1k ROFF=1MEG ION=.9m IOFF=0)", 0.75),
    "SW": ("S1 u o u 0 SM\nR2 o 0 3k\n.MODEL SM SW(RON=1k ROFF=1MEG VT=.5)", 0.75),
    "TC": ("R1 u o 1k TC=0.001,0\nR2 o 0 3k TC=0", 0.75),
    # exp(Vd / 25.865 mV) - 1 = 1 - Vd: Vd = 17.699 mV
    "AKO": ("D1 u o DX2\nR2 o 0 1\n.model DX D(IS=1e-30 N=1)\n.model DX2 AKO:DX D (IS = 1)", 0.982301),
    "a model without brackets": ("D1 u o DX\nR2 o 0 1\n.model DX D IS=1 N=1", 0.982301),
    "words for people": ("D1 u o DX\nR2 o 0 1\n.model DX D(IS=1 N=1 mfg=Foo type=silicon T_MEASURED=27)", 0.982301),
    "a node of $": ("R1 u $N_1 1k\nR2 $N_1 o 1k\nR3 o 0 2k", 0.5),
    "a node of -": ("R1 u n- 1k\nR2 n- o 1k\nE1 9 0 VALUE={V(n-)*V(u)}\nR9 9 0 1\nR3 o 0 2k", 0.5),
    "micro": ("R1 u o 1k\nR3 o 0 1k\nC1 o 0 1\u00b5", 0.5),
    "functions called as SPICE's": (
        ".func sin(x) {0}\n.func max(a,b) {a+b}\nB1 o 0 V=sin(1)+max(V(u),2)\nV9 9 0 SIN(0 1 1k)\nR9 9 0 1", 3.0),
    "a function called as a model's type": (
        ".func d(x) {2*x}\nB1 o 0 V=d(V(u))\nD1 0 9 DX\nR1 9 0 1\n.model DX D(IS=1e-14)", 2.0),
    "a LIMIT of one's own": (".func limit(a,b) {a+b}\nB1 o 0 V=limit(V(u),5)", 6.0),
    "a function by .param": (".param f(x)='2*x'\nB1 o 0 V=f(V(u))", 2.0),
    "values in a source": (
        "X1 u o gain PARAMS: k=3\n.subckt gain a b PARAMS: k = 2, r={k*2}\n.param q={k+1}\nB1 b 0 V=V(a)*k+q*r\n.ends",
        3.0 + 4.0 * 6.0),
    "a call with values": (
        "X1 u o half PARAMS: r = 1k\nR9 o 0 3k\n.subckt half a b PARAMS: r=2k\nR1 a b {r}\n.ends", 0.75),
}  # fmt: skip


@pytest.mark.ngspice
def test_words_of_pspice_and_ltspice_mean_in_ngspice_what_they_mean_there(written, tmp_path):
    cards = ""
    for k, (body, _) in enumerate(KINDS.values()):
        # Globals that would change every source of the deck, were they to leave the model.
        text = f".func sin(x) {{0}}\n.param k=5\n.subckt t{k} u o\n{body}\n.ends\n".replace(
            "half", f"half{k}"
        )
        model = read_model(written(text.encode()), f"t{k}")
        cards += f"{model.text}X{k} u o{k} {model.name}\nRl{k} o{k} 0 1e9\n"
    saved = " ".join(f"v(o{k})" for k in range(len(KINDS)))
    ran_in(tmp_path, f"title\nVu u 0 DC 1\n{cards}.op\n.save {saved}\n.end\n", check=True)
    vectors = named(read_raw(tmp_path / "out.raw"))
    found = [float(vectors[f"v(o{k})"][0]) for k in range(len(KINDS))]
    # Newton's tolerance is 1e-3 of a value, and the load of 1 GOhm takes less.
    wrong = {
        name: (value, expected)
        for (name, (_, expected)), value in zip(KINDS.items(), found, strict=True)
        if abs(value - expected) > 1e-3 * max(1.0, abs(expected))
    }
    assert not wrong
