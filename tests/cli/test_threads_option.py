"""`--threads`: on every command that computes, for as long as the command runs, and no longer."""

import inspect

import pytest

import tinyternary as tt
from tests.train.small import model, splits
from tinyternary.cli import main
from tinyternary.cli.main import commands
from tinyternary.compiled.threads import using_threads_everywhere
from tinyternary.train import fit

COMPUTING = {"pack", "predict", "train", "distill", "evaluate", "demo", "reproduce",
             "crossvalidate", "ablate", "collect", "report", "sweep"}  # fmt: skip


def test_every_command_that_trains_or_asks_a_network_has_it():
    """A new command is one of these, or says here that it computes nothing that threads share."""
    has = {
        command.name or command.callback.__name__
        for command in commands().registered_commands
        if "threads" in inspect.signature(command.callback).parameters
    }
    others = {
        command.name or command.callback.__name__ for command in commands().registered_commands
    } - has
    assert has == COMPUTING
    assert others == {"inspect", "cost", "grade", "warmup", "export"}


def test_it_holds_while_the_command_runs_and_is_forgotten_after(tmp_path, monkeypatch):
    fit(model(), splits(), epochs=1, run_dir=tmp_path, progress=False)
    seen = []
    monkeypatch.setattr(
        "tinyternary.data.load", lambda *a, **k: seen.append(tt.get_threads()) or splits()
    )
    with using_threads_everywhere(5):  # whoever calls the command has said a number, too
        for words in (["--threads", "3"], []):
            with pytest.raises(SystemExit) as ended:
                main(["evaluate", str(tmp_path), "--quiet", "--json", *words])
            assert not ended.value.code
        assert tt.get_threads() == 5
    assert seen == [3, 5]


@pytest.mark.parametrize("wrong", ["0", "-1", "many", "1.5"])
def test_what_is_no_number_of_threads_is_one_line(wrong, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["evaluate", str(tmp_path), "--threads", wrong])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert "--threads" in said
    assert len(said.strip().splitlines()) == 1
