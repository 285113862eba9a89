"""The command that lists the catalogue."""

import json

from lmu_analog.circuits.devices.parts import catalogue
from lmu_analog.cli import run_command


def test_every_part_is_in_the_table_and_in_the_json_with_where_its_figures_are_from(capsys):
    assert run_command(["parts"]) == 0
    text = capsys.readouterr().out
    first = [line.split()[0] for line in text.splitlines() if line.startswith("  ")]
    assert set(catalogue()) <= set(first)
    assert "from memory: check them before use" in text
    assert run_command(["parts", "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    listed = {part["part"]: part for part in content["parts"]}
    assert set(listed) == set(catalogue())
    told = {confidence for part in listed.values() for confidence in part["confidence"].values()}
    assert told == {"read", "memory"}
    assert listed["TL072"]["confidence"]["slew"] == "read"
    assert listed["TL072"]["slew"] == 16e6  # V/s
    assert listed["TL072"]["confidence"]["current_noise"] == "memory"
    assert content["price_classes_usd"]["A"][0] == 0.0
