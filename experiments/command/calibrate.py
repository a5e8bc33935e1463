"""The command `ecosystem calibrate`: from figures to draws of the posterior in a folder."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from tqdm import tqdm

from calibration import calibrate as fit
from calibration.read import read_data
from calibration.targets import load_targets
from ecosystem.inputs.draws import POSTERIOR_FILE
from ecosystem.inputs.world.loader import load_world
from ecosystem.runs.directory import KEPT, is_empty
from ecosystem.runs.identity import model_digests, plain, short_digest
from experiments.command.commands import say
from experiments.command.request import Request
from experiments.report.calibration_view import page
from experiments.report.files import write_text
from experiments.report.messages import text
from experiments.report.tables import WIDE, screen, terminal

SUMMARY = "summary.txt"
HELD, NOT_HELD = "0", "4"
"""Exit codes: done; nothing learned, or not converged."""


def calibrate(
    data: Path | None,
    world: str,
    prior_rows: int | None,
    rows: int | None,
    seed: int,
    jobs: int | None,
    out: Path,
    lang: str,
    quiet: bool,
) -> int:
    """Fit figures, write draws and what was learned into a folder, and return the exit code.

    Raises
    ------
    InputError
        With everything that is wrong with the figures or the world.
    """
    targets = read_data(data) if data else load_targets()
    asked = {"command": "calibrate", "targets": plain(targets), "world": load_world(world).digest}
    asked |= {"prior_rows": prior_rows, "rows": rows, "seed": seed}
    folder = out / short_digest(asked | {"model": model_digests()})
    done = folder / "exit_code"
    if done.exists():
        say(text("reused", lang, directory=folder), quiet)
        say((folder / SUMMARY).read_text(encoding="utf-8"), quiet)
    else:
        folder.mkdir(parents=True, exist_ok=True)
        with tqdm(
            total=100, disable=quiet, file=sys.stderr, leave=False, delay=1.0,
            bar_format="{desc} {percentage:3.0f} % [{elapsed}<{remaining}]",
        ) as bar:  # fmt: skip

            def show(words: str, share: float) -> None:
                bar.set_description(text("progress_calibration", lang, words=words))
                bar.update(100 * share - bar.n)

            command = Request.command_line()
            try:
                found = fit.calibrate(
                    targets, world, out=folder, prior_rows=prior_rows, rows=rows, seed=seed,
                    jobs=jobs, command=command, progress=show,
                )  # fmt: skip
            except KeyboardInterrupt as error:
                if not is_empty(folder):
                    error.add_note(KEPT)
                raise
        found.save(folder)
        shutil.rmtree(folder / fit.MOVES)
        shown = page(found, lang)
        shown.append(text("calibration_use", lang, path=folder / POSTERIOR_FILE))
        write_text(folder / SUMMARY, terminal(shown, WIDE) + "\n")
        write_text(done, HELD if found.learned and found.converged else NOT_HELD)
        say(terminal(shown, screen()), quiet)
    print(folder)
    return int(done.read_text(encoding="utf-8"))
