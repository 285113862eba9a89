"""Files of op-amps of one's own: used like the catalogue's, and refused with part and figure."""

import pytest

from lmu_analog.building import build
from lmu_analog.circuits.devices.parts import catalogue, opamp, read_parts
from lmu_analog.design import Design
from lmu_analog.errors import DesignError
from lmu_analog.output.design_text import commented

FILE = """
[MY1234]
gain = 110
gbw = "12 MHz"
supply = [4.5, 36]
slew = "20 V/us"
offset_max = "2 mV"
bias = "10 pA"
output_resistance = "60 Ohm"
input_capacitance = 3e-12
swing = ["100 mV", 0.2]
swing_load = "2 kOhm"
output_current = "30 mA"
common_mode = [-0.1, "2 V"]
source = "data sheet"

[TL072]
gain = "100 dB"
gbw = 3e6
supply = ["7 V", "36 V"]
"""


@pytest.fixture
def written(tmp_path):
    def write(text):
        path = tmp_path / "my-parts.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def test_a_part_of_ones_own_has_its_figures(written):
    model = opamp("MY1234", supply=5.0, parts=read_parts(written(FILE)))
    assert (model.name, model.gbw, model.slew, model.offset_max) == ("MY1234", 12e6, 20e6, 2e-3)
    assert (model.bias, model.output_resistance, model.input_capacitance) == (1e-11, 60.0, 3e-12)
    assert model.gain == pytest.approx(10**5.5, rel=1e-12)
    assert (model.floor, model.rail) == (-4.9, 4.8)
    assert (model.output_current, model.common_mode) == (0.03, (-5.1, 3.0))


def test_a_part_without_a_swing_takes_the_supply_and_says_so(written):
    model = opamp("TL072", supply=5.0, parts=read_parts(written(FILE)))
    assert (model.rail, model.floor, model.swing_known) == (5.0, -5.0, False)


def test_a_part_of_ones_own_comes_before_the_catalogues(written):
    parts = read_parts(written(FILE))
    assert opamp("TL072", supply=5.0, parts=parts).gbw == 3e6
    assert opamp("TL072", supply=5.0).gbw == catalogue()["TL072"]["gbw"] == 4e6


def test_the_catalogue_itself_is_such_a_file(tmp_path):
    from importlib import resources

    text = resources.files("lmu_analog.circuits.devices").joinpath("parts.toml").read_bytes()
    path = tmp_path / "parts.toml"
    path.write_bytes(text)
    assert read_parts(path) == catalogue()


def test_a_design_finds_its_parts_beside_it_and_its_digest_follows_them(written, tmp_path):
    written(FILE)
    path = tmp_path / "design.toml"
    text = '[memory]\norder = 3\n[circuit]\nparts = "my-parts.toml"\nopamp = "MY1234"\n'
    path.write_text(text, "utf-8")
    design = Design.load(path)
    assert design.opamp_model.gbw == 12e6
    assert build(design)
    path.write_text(commented(design), "utf-8")
    assert Design.load(path).digest == design.digest
    written(FILE.replace("12 MHz", "13 MHz"))
    assert Design.load(path).digest != design.digest


GOOD = "gain = 100\ngbw = 1e6\nsupply = [5, 36]\n"


@pytest.mark.parametrize(("text", "message"), [
    ("[P]\ngbw = 1e6\nsupply = [5, 36]\n", r"^my-parts\.toml, \[P\]: gain is missing; a part needs gain, gbw"),
    ("[P]\ngain = 100\ngbw = 1e6\n", r"^my-parts\.toml, \[P\]: supply is missing"),
    (f"[P]\n{GOOD}slewrate = 3\n", r"^my-parts\.toml, \[P\]: unknown figure 'slewrate'; known are address, ampl"),
    (f"[P]\n{GOOD}offset = 1e-3\n", r"unknown figure 'offset'"),
    (f"[P]\n{GOOD}bias = '3 V'\n", r"^my-parts\.toml, \[P\]: '3 V' is in V; write a number in A"),
    (f"[P]\n{GOOD}swing = 1\n", r"^my-parts\.toml, \[P\]: swing is \[from the negative rail, from the positive"),
    (f"[P]\n{GOOD}slew = -1\n", r"^my-parts\.toml, \[P\]: op-amp slew = -1; it must be positive$"),
    (f"[P]\n{GOOD}".replace("1e6", "inf"), r"^my-parts\.toml, \[P\]: inf is not finite"),
    (f"[P]\n{GOOD}".replace("100", "400"), r"^my-parts\.toml, \[P\]: op-amp gain = 1e\+20; at most 1e\+15"),
    (f"[P]\n{GOOD}".replace("[5, 36]", "5"), r"^my-parts\.toml, \[P\]: supply is \[least, most\]"),
    (f"[P]\n{GOOD}".replace("[5, 36]", "[36, 5]"), r"^my-parts\.toml, \[P\]: supply = \[36, 5\]; the least must"),
    ("[P]\nlike = 'TL99'\n", r"^my-parts\.toml, \[P\]: like = 'TL99'; no such part in the file, nor in the catalogue$"),
    ("[P]\nlike = 'Q'\n[Q]\nlike = 'P'\n", r"^my-parts\.toml, \[P\]: like = 'Q'; it is like this part itself"),
    (f"[P]\n{GOOD}kind = 'valve'\n", r"kind = 'valve'; known are bipolar, JFET, CMOS, zero-drift$"),
    (f"[P]\n{GOOD}price_class = 'Z'\n", r"price_class = 'Z'; known are A, B, C, D, E$"),
    (f"[P]\n{GOOD}maker = 3\n", r"maker = 3; text is wanted$"),
    (f"[P]\n{GOOD}read = ['slew']\naddress = 'x'\n", r"read = .*; a list of figures of the part is wanted$"),
    (f"[P]\n{GOOD}read = ['gbw']\n", r"read without address; say where the sheet is"),
    (f"[ideal]\n{GOOD}", r"^my-parts\.toml, \[ideal\]: a part's name holds letters"),
    (f"['a b']\n{GOOD}", r"^my-parts\.toml, \[a b\]: a part's name holds letters"),
    ("P = 3\n", r"^my-parts\.toml, \[P\]: a part is a table of figures$"),
    ("[P\n", r"is not valid TOML: "),
    (b"\xff\xfe", r"my-parts\.toml: is not UTF-8 text; give a file of parts$"),
    (b"#" * 1_000_001, r"my-parts\.toml: larger than 1 MB; give a file of parts"),
])  # fmt: skip
def test_a_wrong_file_is_refused_with_part_and_figure(written, text, message):
    with pytest.raises(DesignError, match=message):
        read_parts(written(text))


def test_a_wrong_file_named_by_text_is_refused_with_its_name(written):
    with pytest.raises(DesignError, match=r"^my-parts\.toml, \[P\]: supply is missing"):
        read_parts(str(written("[P]\ngain = 100\ngbw = 1e6\n")))


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(DesignError, match=r"none\.toml: no such file; give a file of parts$"):
        read_parts(tmp_path / "none.toml")


def test_an_unknown_part_is_refused_with_ones_own_among_the_known(written):
    with pytest.raises(DesignError, match=r"^unknown op-amp 'X'; known are ideal, .*MY1234, .*or a table"):
        opamp("X", supply=5.0, parts=read_parts(written(FILE)))
