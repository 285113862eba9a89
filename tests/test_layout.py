"""Tables and sentences on a terminal of 80 characters."""

from lmu_analog.output.layout import WIDTH, lined_up, wrapped
from lmu_analog.output.text_tables import Table

NOTE = "class AB: half the mean magnitude of what an output delivers, with the design's signal"


def test_a_last_column_that_does_not_fit_goes_on_below_itself() -> None:
    lines = lined_up(Table("supply", ("of", "each", "source"), (("load", "25.9 uA", NOTE),))).splitlines()
    assert max(map(len, lines)) <= WIDTH
    column = lines[1].index("source")
    assert all(line[:column].isspace() for line in lines[3:])
    assert " ".join(line[column:] for line in lines[2:]) == NOTE


def test_a_narrow_table_stays_as_it_is() -> None:
    table = Table("a", ("b", "c", "d"), (("1", "22", "3"),))
    assert lined_up(table) == "a\n  b   c  d\n  1  22  3"
    wide = Table("a", ("b" * 70, "d"), (("1", NOTE),))  # where too little is left, one long line is better
    assert lined_up(wide).endswith(NOTE)


def test_a_number_keeps_its_percent_sign() -> None:
    for start in range(40, WIDTH):
        lines = wrapped("x" * start + " more of 5 % and a last word that follows")
        assert not any(line.strip().startswith("%") for line in lines)
        assert max(map(len, lines)) <= WIDTH
        assert " ".join(line.strip() for line in lines).endswith("more of 5 % and a last word that follows")
