"""The report in a browser, and as a command: what a reader sees is what the JSON says."""

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path

import pytest

from lmu_analog.cli import run_command
from lmu_analog.output.report.sections import SECTIONS

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
BROWSER = next((found for name in BROWSERS if (found := shutil.which(name))), None)
DESIGN = '[memory]\norder = 3\ntheta = "1 ms"\n[mismatch]\nresistor = "1 %"\n[spec]\nnrmse = "20 %"\n'
CHOSEN = ("specification", "summary", "budget", "noise", "provenance")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A page and the object that the same command prints."""
    folder = tmp_path_factory.mktemp("report")
    (folder / "d.toml").write_text(DESIGN)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        captured: list[str] = []
        patch.setattr("typer.echo", captured.append)
        command = ["report", "d.toml", "-o", "r.html", "--sections", ",".join(CHOSEN), "--json"]
        assert run_command(command) == 0
    (printed,) = captured
    return folder / "r.html", json.loads(printed)


def rendered(path: Path, profile: Path) -> str:
    """Give the document as a browser holds it after loading."""
    command = [
        str(BROWSER),
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--host-resolver-rules=MAP * ~NOTFOUND",  # nothing can come from a network
        f"--user-data-dir={profile}",
        "--dump-dom",
        path.as_uri(),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout


@pytest.mark.skipif(BROWSER is None, reason=f"no browser: none of {', '.join(BROWSERS)} is installed")
def test_a_browser_shows_what_the_json_says(written, tmp_path):
    path, content = written
    shown = rendered(path, tmp_path)
    # Numbers and units stay on one line on the page, and have plain spaces in the JSON.
    shown = shown.replace("&nbsp;", " ").replace("\N{WORD JOINER}", "")
    text = unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", shown)))
    assert content["verdict"]["word"] in text
    assert content["verdict"]["sentence"] in text
    for tile in content["headline"]:
        assert re.search(rf'<dd class="value">{re.escape(tile["value"])}</dd>', shown)
    (table,) = content["sections"]["specification"]["tables"]
    body = shown.partition("<caption>Requirements")[2].partition("</table>")[0]
    rows = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in re.findall(r"<tr>(.*?)</tr>", body)]
    assert [[unescape(cell) for cell in row] for row in rows] == [table["columns"], *table["rows"]]
    # The browser's own reading: error of the exact engine, in percent with three digits.
    error = content["sections"]["summary"]["content"]["exact"]["window_nrmse"]
    cells = dict((row[0], row[1]) for row in rows)
    first = float(cells["Window NRMSE, nominal, exact engine"].removesuffix(" %"))
    assert first == pytest.approx(100.0 * error, rel=5e-3)
    assert shown.count("<svg") == sum(len(s["figures"]) for s in content["sections"].values())


def test_only_the_chosen_sections_are_on_the_page(written):
    path, content = written
    assert tuple(content["sections"]) == CHOSEN
    assert re.findall(r'<h2 id="([^"]+)">', path.read_text("utf-8")) == ["contents", *CHOSEN]
    assert len(SECTIONS) > len(CHOSEN)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ["--sections", "budjet"],
            "--sections 'budjet': no such section; known are specification, summary, ",
        ),
        (["-o", "none/r.html"], "-o none/r.html: a file in an existing folder is wanted"),
        (["-o", "."], "-o .: a file in an existing folder is wanted"),
        (["--run", "none.zarr"], "none.zarr"),
    ],
)
def test_wrong_options_are_refused_in_one_line_and_leave_no_page(
    options, said, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "d.toml").write_text(DESIGN)
    chosen = [] if "--sections" in options else ["--sections", "provenance"]
    assert run_command(["report", "d.toml", "-o", "r.html", *chosen, *options]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 1
    assert said in shown.err
    assert [p.name for p in tmp_path.iterdir()] == ["d.toml"]
