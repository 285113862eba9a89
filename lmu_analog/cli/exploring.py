"""The command that writes the explorer's page. Heavy modules load inside the command."""

from dataclasses import dataclass
from pathlib import Path

from lmu_analog.cli.options import Json, Workers, say, show
from lmu_analog.errors import DesignError
from lmu_analog.files_in import real
from lmu_analog.option import argument, option
from lmu_analog.output.progress import progress


@dataclass(frozen=True, kw_only=True)
class _Explore(Workers, Json):
    requirement: Path = argument("REQ", "Requirement (TOML), as optimize takes it.")
    output: Path = option(..., "Page to write.", "FILE.html", short="-o")
    prune: bool = option(
        False,
        "Leave out structures that cannot keep the limit of the error: quicker, but limits can only fall.",
    )


def explore(options: _Explore) -> None:
    """Write a page that holds all candidates of a requirement, to change limits and choices by hand."""
    from lmu_analog.codesign.requirement import read_requirement
    from lmu_analog.output.explorer import job

    output = options.output
    if output.exists() and options.requirement.exists() and real(output) == real(options.requirement):
        raise DesignError(f"-o {output} is the requirement itself; give another name")
    job.check_page(output)
    requirement = read_requirement(options.requirement)
    with progress("structures", job.steps(requirement)) as advance:
        content = job.write_explorer(
            requirement, output, workers=options.workers, prune=options.prune, progress=advance
        )
    if content["bytes"] > job.LARGE:
        say(
            f"the page has {content['bytes'] / 1e6:.1f} MB; --prune, or a shorter list in [allow], makes it smaller"
        )
    say(f"wrote {output}; a browser opens it")
    show(options, content, job.text)
