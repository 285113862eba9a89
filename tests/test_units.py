"""Text to SI floats and back; the oracle is exact rational arithmetic."""

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmu_analog.errors import DesignError
from lmu_analog.units import (
    UNITS,
    area,
    coefficient,
    fraction,
    gain,
    magnitude,
    parse,
    share,
    temperature,
    tolerance,
    write,
)

POWERS = {"f": -15, "p": -12, "n": -9, "u": -6, "\u00b5": -6, "\u03bc": -6, "m": -3, "": 0}
POWERS |= {"k": 3, "M": 6, "G": 9, "T": 12}
prefixes = st.sampled_from(sorted(POWERS))
decimals = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9, places=8)


@given(number=decimals, prefix=prefixes, unit=st.sampled_from(UNITS), space=st.sampled_from(["", " ", "  "]))
def test_every_prefix_gives_the_float_nearest_to_the_exact_rational(number, prefix, unit, space):
    exact = Fraction(number) * Fraction(10) ** POWERS[prefix]
    assert parse(f"{number:f}{space}{prefix}{unit}", unit) == float(exact)  # equal, not close: one rounding


@given(number=decimals, over=prefixes, under=prefixes)
def test_a_slope_takes_a_prefix_on_either_side(number, over, under):
    exact = Fraction(number) * Fraction(10) ** (POWERS[over] - POWERS[under])
    assert parse(f"{number:f} {over}V/{under}s", "V/s") == float(exact)


@given(value=st.floats(allow_nan=False, allow_infinity=False), unit=st.sampled_from(UNITS))
def test_what_is_written_reads_back(value, unit):
    # Six significant digits: half a unit of the sixth is 5e-6. Near 5e-324 floats are sparser than that.
    assert math.isclose(parse(write(value, unit), unit), value, rel_tol=1e-5, abs_tol=5e-324)


@given(value=st.floats(allow_nan=False, allow_infinity=False))
def test_a_bare_number_or_its_text_is_si(value):
    assert parse(value, "V") == parse(repr(value), "V") == fraction(value) == gain(repr(value)) == value


@given(text=st.text(), unit=st.sampled_from(UNITS))
def test_any_text_gives_a_finite_number_or_one_short_line(text, unit):
    try:
        value, message = parse(text, unit), "none"
    except DesignError as error:
        value, message = 0.0, str(error)
    assert math.isfinite(value)
    assert len(message.splitlines()) == 1
    assert len(message) < 200


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("10 pF", "F", 1e-11),
        ("4.7 nF", "F", 4.7e-9),
        ("1 kHz", "Hz", 1e3),
        ("1ms", "s", 1e-3),
        ("-5 V", "V", -5.0),
        ("1 MOhm", "Ohm", 1e6),
        ("20 V/us", "V/s", 2e7),
        (" 1e-9 F ", "F", 1e-9),
        ("1 mHz", "Hz", 1e-3),
        (2, "A", 2.0),
    ],
)
def test_common_quantities_read_exactly(text, unit, value):
    assert parse(text, unit) == value


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (1e-11, "F", "10 pF"),
        (999999.6, "Hz", "1 MHz"),
        (0.0, "V", "0 V"),
        (-1.5e3, "Ohm", "-1.5 kOhm"),
        (2e7, "V/s", "20 MV/s"),
        (1e-30, "A", "1e-30 A"),
        (1 / 3, "s", "333.333 ms"),
        (math.inf, "V", "inf V"),
    ],
)
def test_numbers_are_written_in_engineering_notation(value, unit, text):
    assert write(value, unit) == text


@pytest.mark.parametrize(
    ("text", "unit", "message"),
    [
        ("1 kHz", "s", r"'1 kHz' is in Hz; write a number in s such as '1.5 s'"),
        ("100ppm", "V", r"'100ppm' is in ppm; write a number in V"),
        ("1 %", "V", r"'1 %' is in %; write a number in V"),
        ("10 p", "F", r"'10 p' has no known unit \('p'\); write a number in F"),
        (
            "1,5 V",
            "V",
            r"^'1,5 V' has a comma or a separator in its digits; write a decimal point alone, a number in",
        ),
        ("1,000.5 V", "V", r"^'1,000.5 V' has a comma or a separator in its digits; write"),
        ("1 000 V", "V", r"^'1 000 V' has a comma or a separator in its digits; write"),
        ("1'000 V", "V", r"has a comma or a separator in its digits; write"),
        ("1 mhz", "Hz", r"'1 mhz' has no known unit"),
        ("", "V", r"'' is not a quantity"),
        ("p", "F", r"'p' is not a quantity"),
        ("nan V", "V", r"'nan V' is not a quantity"),
        ("inf", "V", r"'inf' is not a quantity"),
        ("1e999 V", "V", r"'1e999 V' is not finite"),
        ("1e99999 V", "V", r"is not a quantity|no known unit"),
        ("1_000 V", "V", r"^'1_000 V' has a comma or a separator in its digits; write"),
        ("1 k V", "V", r"'1 k V' is not a quantity"),
        (math.nan, "V", r"nan is not finite"),
        (-math.inf, "V", r"-inf is not finite"),
        (True, "V", r"True is not a quantity"),
        (["1 V"], "V", r"\['1 V'\] is not a quantity"),
        (None, "V", r"None is not a quantity"),
    ],
)
def test_what_is_not_a_quantity_is_refused_with_what_was_given_and_wanted(text, unit, message):
    with pytest.raises(DesignError, match=message):
        parse(text, unit)


def test_huge_input_is_refused_in_few_words():
    with pytest.raises(DesignError, match=r"^'9{17}\.\.\.9{17}x' has no known unit \('x'\); write"):
        parse("9" * 10**5 + "x", "V")
    with pytest.raises(DesignError, match=r"^a whole number beyond the range of floats; write a number in V"):
        parse(10**5000, "V")


@given(number=decimals)
def test_a_fraction_in_percent_or_ppm_is_correctly_rounded(number):
    assert fraction(f"{number:f} %") == float(Fraction(number) / 100)
    assert fraction(f"{number:f}ppm") == float(Fraction(number) / 10**6)


@pytest.mark.parametrize("text", ["1 V", "1 dB", "1 m", "%", "1 %%"])
def test_a_fraction_in_anything_else_is_refused(text):
    with pytest.raises(DesignError, match=r"write a fraction such as '1 %', '500 ppm' or 0.01"):
        fraction(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("25 um2", 25e-12),
        ("1 mm2", 1e-6),
        ("400nm2", 4e-16),
        (1e-12, 1e-12),
        ("25 um^2", 25e-12),
        ("25 \u00b5m\u00b2", 25e-12),
        ("25 \u03bcm^2", 25e-12),
        ("25 um**2", 25e-12),
        ("2 m2", 2.0),
    ],
)
def test_an_area_has_the_square_of_the_prefix(text, value):
    assert area(text) == value


@pytest.mark.parametrize("text", ["25 um", "5 um x 5 um", "1 V", "2 km2", True])
def test_an_area_in_anything_else_is_refused(text):
    with pytest.raises(DesignError, match=r"write an area such as '25 um2'"):
        area(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("85 C", 358.15),
        ("-40C", 233.15),
        ("358.15 K", 358.15),
        (300.0, 300.0),
        ("0 C", 273.15),
        ("85 \u00b0C", 358.15),
        ("85\u00b0 C", 358.15),
        ("85 \u2103", 358.15),
        ("85 \u00baC", 358.15),
        ("85 degC", 358.15),
        ("85 deg C", 358.15),
        ("\u221240 \u00b0C", 233.15),
    ],
)
def test_a_temperature_is_in_celsius_or_kelvin(text, value):
    assert temperature(text) == value


@pytest.mark.parametrize(
    "text", ["85 F", "85 \u00b0F", "\u00b0C", "85 mC", "85 mK", "C", "nan C", "1 V", None]
)
def test_a_temperature_in_anything_else_is_refused(text):
    with pytest.raises(DesignError, match=r"write a temperature such as '85 C' or '358.15 K'"):
        temperature(text)


@given(decibels=st.floats(-300, 300))
def test_a_gain_in_decibels_is_twenty_logarithms(decibels):
    # Both sides round once or twice in 1e-16 of at most 300 dB; 1e-12 dB leaves room for that.
    assert math.isclose(20 * math.log10(gain(f"{decibels!r} dB")), decibels, rel_tol=1e-12, abs_tol=1e-12)


@pytest.mark.parametrize(
    ("text", "value"),
    [("200 V/mV", 2e5), ("1 V/uV", 1e6), ("10 V/V", 10.0), ("40 db", 100.0), ("40 DB", 100.0)],
)
def test_a_gain_as_data_sheets_write_it(text, value):
    assert gain(text) == value


@pytest.mark.parametrize("text", ["1 V", "1e4 dB", "dB", "1 kdB", "inf", "1 %", ""])
def test_a_gain_in_anything_else_is_refused(text):
    with pytest.raises(DesignError, match=r"write a gain such as '106 dB' or 2e5"):
        gain(text)


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("4.7 k\u03a9", "Ohm", 4700.0),
        ("4.7 k\u2126", "Ohm", 4700.0),
        ("1e3 \u03a9", "Ohm", 1e3),
        ("4.7 kohm", "Ohm", 4700.0),
        ("4.7 KOhm", "Ohm", 4700.0),
        ("1 megohm", "Ohm", 1e6),
        ("1 MegOhm", "Ohm", 1e6),
        ("10 ohms", "Ohm", 10.0),
        ("10 kilohm", "Ohm", 1e4),
        ("4k7", "Ohm", 4700.0),
        ("4K7", "Ohm", 4700.0),
        ("1k5", "Ohm", 1500.0),
        ("-1k5", "Ohm", -1500.0),
        ("1M2 Ohm", "Ohm", 1.2e6),
        ("4k7\u03a9", "Ohm", 4700.0),
        ("4R7", "Ohm", 4.7),
        ("R47", "Ohm", 0.47),
        ("100R", "Ohm", 100.0),
        ("4n7", "F", 4.7e-9),
        ("2p2F", "F", 2.2e-12),
        ("4\u00b57", "F", 4.7e-6),
        ("4u7", "H", 4.7e-6),
        ("1k5", "Hz", 1500.0),
        ("3V3", "V", 3.3),
        ("10 usec", "s", 1e-5),
        ("10 \u00b5sec", "s", 1e-5),
        ("10 msec", "s", 1e-2),
        ("2 seconds", "s", 2.0),
        ("2 microseconds", "s", 2e-6),
        ("10 khz", "Hz", 1e4),
        ("10 KHz", "Hz", 1e4),
        ("3 GHz", "Hz", 3e9),
        ("10 Mhz", "Hz", 1e7),
        ("10 MHZ", "Hz", 1e7),
        ("5 volts", "V", 5.0),
        ("5 mv", "V", 5e-3),
        ("10 pf", "F", 1e-11),
        ("1 microfarad", "F", 1e-6),
        ("2 milliamps", "A", 2e-3),
        ("\u22125 V", "V", -5.0),
        ("10\u00a0pF", "F", 1e-11),
        ("20 V / us", "V/s", 2e7),
        ("20 V/usec", "V/s", 2e7),
        ("5 nV/\u221aHz", "V/rtHz", 5e-9),
        ("5 nV/\u221a(Hz)", "V/rtHz", 5e-9),
        ("5 nV/sqrt(Hz)", "V/rtHz", 5e-9),
        ("5 nV/rtHz", "V/rtHz", 5e-9),
        ("5 nV/Hz^0.5", "V/rtHz", 5e-9),
        ("5 nV/Hz^(1/2)", "V/rtHz", 5e-9),
        ("5 fA/\u221aHz", "A/rtHz", 5e-15),
    ],
)
def test_quantities_as_people_write_them_read_exactly(text, unit, value):
    assert parse(text, unit) == value


@pytest.mark.parametrize(
    ("text", "unit", "message"),
    [
        (
            "10 mhz",
            "Hz",
            r"'10 mhz' has no known unit \('mhz'\); write a number in Hz such as '1\.5 Hz' or '1\.5 mHz'",
        ),
        ("10 mS", "s", r"'10 mS' is in S; write a number in s such as '1\.5 s' or '1\.5 ms'"),
        (
            "10k",
            "Ohm",
            r"'10k' has no known unit \('k'\); write a number in Ohm such as '1\.5 Ohm' or '1\.5 mOhm'",
        ),
        ("4k7", "s", r"'4k7' has no known unit \('k7'\); write a number in s such as '1\.5 s' or '1\.5 ms'"),
        ("1m5", "s", r"'1m5' has no known unit \('m5'\); write a number in s such as '1\.5 s' or '1\.5 ms'"),
        (
            "4k7 F",
            "Ohm",
            r"'4k7 F' is not a quantity; write a number in Ohm such as '1\.5 Ohm' or '1\.5 mOhm'",
        ),
        ("R", "Ohm", r"'R' is not a quantity; write a number in Ohm such as '1\.5 Ohm' or '1\.5 mOhm'"),
        (
            "\u00b15 V",
            "V",
            r"'\u00b15 V' is not a quantity; write a number in V such as '1\.5 V' or '1\.5 mV'",
        ),
        (
            "5 nV/Hz",
            "V/rtHz",
            r"'5 nV/Hz' has no known unit \('nV/Hz'\); write a number in V/rtHz such as .*",
        ),
        (
            "5 Vpp",
            "V",
            r"'5 Vpp' has no known unit \('Vpp'\); write a number in V such as '1\.5 V' or '1\.5 mV'",
        ),
    ],
)
def test_what_may_mean_two_things_is_refused_with_the_accepted_form(text, unit, message):
    with pytest.raises(DesignError, match=f"^{message}$"):
        parse(text, unit)


@given(number=st.integers(0, 10**6), after=st.integers(0, 99), letter=st.sampled_from("fpnumkMGT"))
def test_a_letter_in_place_of_the_point_is_that_prefix(number, after, letter):
    assert parse(f"{number}{letter}{after:02d}", "Ohm") == parse(f"{number}.{after:02d} {letter}Ohm", "Ohm")


@pytest.mark.parametrize(
    "text", ["1 %", "\u00b11 %", "\u00b1 1%", "+-1 %", "+/- 1 %", 0.01, "0.01", "1 percent", "10 \u2030"]
)
def test_a_tolerance_may_have_both_signs(text):
    assert tolerance(text) == 0.01


def test_both_signs_are_for_magnitudes_alone():
    assert magnitude("\u00b15 V", "V") == magnitude("+/-5 V", "V") == magnitude(5, "V") == 5.0
    with pytest.raises(DesignError, match=r"^'\u00b15 %' is not a quantity; write a fraction such as"):
        share("\u00b15 %")


@given(value=st.floats(1.0000001, 1e6))
def test_a_bare_number_above_one_is_no_share(value):
    for text in (value, repr(value)):
        with pytest.raises(DesignError, match=r"^.* is .* %; write '.* %' or [0-9.e+-]+$"):
            share(text)
    assert share(f"{value!r} %") == fraction(f"{value!r} %")  # said in per cent, any is


@pytest.mark.parametrize(
    ("text", "power", "value"),
    [("25 ppm", 1, 25e-6), ("25 ppm/K", 1, 25e-6), ("25 ppm/\u00b0C", 1, 25e-6), ("-2 ppm/degC", 1, -2e-6),
     ("0.5 ppm/K^2", 2, 5e-7), ("0.5 ppm/K\u00b2", 2, 5e-7), ("0.5 ppm", 2, 5e-7), (1e-6, 1, 1e-6)],
)  # fmt: skip
def test_a_temperature_coefficient_may_say_its_kelvin(text, power, value):
    assert coefficient(text, power=power) == value


@pytest.mark.parametrize(
    ("text", "power"), [("25 ppm/K^2", 1), ("25 ppm/K", 2), ("25 ppm/V", 1), ("\u00b125 ppm", 1)]
)
def test_a_temperature_coefficient_of_another_power_is_refused(text, power):
    with pytest.raises(DesignError, match=r"write a fraction such as '1 %', '500 ppm' or 0.01$"):
        coefficient(text, power=power)
