"""The command: flags, refusals, what a run prints and leaves, faults, and odd surroundings."""

import json
import os
import platform
import re
import runpy
import shlex
import subprocess
import sys
import textwrap
from pathlib import Path
from unittest import mock

import matplotlib
import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from conftest import ROOT, TINY, call_main, trained

import gan_1d
from gan_1d import RECIPES, RUN_COLUMNS, Settings, parse_settings, verdict

SAME = {"epoch": 20, "size": 20, "log_every": 7, "animate": True}  # TINY for `trained`, and a film
NUMBERS = {"gan_1d.json", "metrics.csv", "samples.npy", "summary.json"}
USERS = {k: v for k, v in os.environ.items() if not re.match("TF_|XLA_|ONEDNN_|PYTHON|MPL", k)}
PICTURES = {"training.png", "distribution.png"}
cpu = Path("/proc/cpuinfo").read_bytes() if os.path.exists("/proc/cpuinfo") else b" avx2 "
x86 = b" avx2 " in cpu and platform.machine() in ("x86_64", "AMD64")
ours = pytest.mark.skipif(not (x86 and tf.__version__[:5] == "2.21."), reason="needs TF 2.21, AVX2")
HOST = """
import contextlib, gc, importlib.util, json, os, runpy, sys
own, sys.argv = json.loads(sys.argv[1]), sys.argv[2:]
for variables in {}, own:
    os.environ.update(variables)
    before = dict(os.environ)
    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(None):
        runpy.run_path(sys.argv[0], run_name="__main__")
    print(before == dict(os.environ), gc.isenabled(), importlib.util.find_spec("keras") is not None)
    sys.argv.append("--plots")
import matplotlib
print(matplotlib.get_backend())
"""


def summary_of(folder):
    return json.loads((folder / "summary.json").read_bytes(), parse_constant=pytest.fail)


def test_help_names_every_setting_below_its_group_with_words_and_its_default(monkeypatch):
    monkeypatch.setenv("COLUMNS", "1000")
    text = re.sub(r"\n {9,}", " ", call_main("--help").out)  # a flag and its help: a line
    groups = re.findall(r"\n(\w+):\n((?:  --.*\n)+)", f"{text}\n")
    found = [(group, line.rstrip()) for group, lines in groups for line in lines.splitlines()]
    for field, (group, line) in zip(Settings.__dataclass_fields__.values(), found, strict=True):
        flag = "--" + field.name.replace("_", "-")
        default = {None: flag.removesuffix("-g"), "": "none"}.get(field.default, field.default)
        form = rf"  {flag}(, --no\S*| [A-Z_\d]+| {{\S+}}) +\w.* \(default: {default}\)"
        assert (group, bool(re.fullmatch(form, line))) == (field.metadata["group"], True), line


def test_a_recipe_stands_for_its_settings_and_flags_beside_it_win():
    assert parse_settings(["--recipe", "recommended"]) == Settings(**RECIPES["recommended"])
    assert parse_settings(["--recipe", "article"]) == parse_settings([]) == Settings()
    mixed = parse_settings(["--hidden-size", "9", "--recipe", "recommended", "--momentum", "0.5"])
    assert mixed == Settings(**RECIPES["recommended"] | {"hidden_size": 9, "momentum": 0.5})


FILES = {"empty": b"", "words": b"1\nthree\n", "nan": b"1\nnan\n", "same": b"7\n7\n"}
FILES |= {"two": b"1 2\n3 4\n", "cut.npy": b"\x93NUMPY\x01\x00", "zip.npy": b"PK", "ok": b"1\n2\n"}
BAD = """--epoch 0: from 1 to|--mu nan: from -1e+30|--seed -1: to 4294967295|--size 2.5: '2.5'
--hidden-size-g None: invalid|--log-every 0: from 1|--optimizer rmsprop: adam|'--init=a\nb': fan_in
--recipe best: article|--low 2: below --high|--animate --no-plots: without|--mu=-1e9: --sigma
--runs 2 --animate: --animate|--runs 2 --tensorboard: --tensorboard|--runs 2 --saved-model: --saved
--runs 2 --seed 4294967295: 2**32|--output-dir a[b: *, ?, [|--output-dir a*: *, ?, [|--siz 3: --siz
--data gone: gone: No such|--data .: --data .: |--data empty: one a line|--data words: three
--data nan: finite|--data same: differ by|--data two: one a line|--data cut.npy: cut.npy:
--data zip.npy: zip.npy:|--data ok --output-dir ..: must not lie"""  # each with what must be named


@pytest.mark.filterwarnings("ignore:loadtxt")
def test_a_bad_command_line_is_refused_in_one_line_and_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, content in FILES.items():
        Path(name).write_bytes(content)
    for words, _, named in (line.partition(":") for line in re.split(r"\||\n(?=--)", BAD)):
        run = call_main("--output-dir", "new/folder", *shlex.split(words))
        assert (run.status, run.out, run.err.count("\n")) == (2, "", 1), words
        assert re.search("--[a-z]+", words)[0] in run.err, words
        assert named.strip() in run.err, words
    assert {*os.listdir()} == {*FILES}


def test_readmes_commands_are_accepted_and_its_python_compiles(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    shell, python = (re.findall(rf"```{of}\n(.*?)```", text, re.DOTALL) for of in ("sh", "python"))
    commands = re.findall(r"^python (-c|gan_1d\.py)(.*)", "\n".join(shell), re.MULTILINE)
    for program, rest in commands:
        words = shlex.split(rest, comments=True)
        if program == "-c":
            exec(words[0], {})  # makes the data for a later one
        assert program == "-c" or "--help" in words or parse_settings(words)
    for piece in python:  # without a notebook's own commands
        compile(re.sub(r"(?m)^%.*", "", textwrap.dedent(piece)), "a piece of README.md", "exec")


def test_the_default_run_prints_its_lines_and_report_and_nothing_else(article_run):
    remarks = article_run.stderr if tf.__version__ >= "2.21" else ""  # older ones remark on XLA
    assert (article_run.returncode, remarks) == (0, "")
    form = "iteration {:6.0f}  D1 {:.3f}  D2 {:.3f}  loss_d {:.3f}  loss_g {:.3f}\n"
    rows = np.genfromtxt(article_run.folder / "metrics.csv", delimiter=",", skip_header=1)
    report = verdict(summary_of(article_run.folder)["final"], Settings()) + "\nWritten to "
    lines = "".join(form.format(*row) for row in rows) + report + str(Path("outputs", "latest"))
    named = re.fullmatch(r" in \d+\.\d s: (.*)\n", article_run.stdout.removeprefix(lines))[1]
    assert {"gan_1d.json", *named.split(", ")} == set(os.listdir(article_run.folder))


def test_the_default_run_leaves_its_files_a_row_a_logged_iteration_and_10_000_samples(article_run):
    folders = [article_run.source, article_run.folder.parent.parent, article_run.folder]
    names = [{"gan_1d.py"}, {"outputs"}, NUMBERS | PICTURES]
    assert [set(os.listdir(folder)) for folder in folders] == names
    rows = np.genfromtxt(article_run.folder / "metrics.csv", delimiter=",", skip_header=1)
    assert rows[:, 0].tolist() == list(range(99, 10_000, 100))
    assert np.load(article_run.folder / "samples.npy").shape == (10_000, 1)


def test_summary_json_holds_the_command_versions_all_settings_and_final_metrics(full_run):
    summary = summary_of(full_run[1])
    words = shlex.split(summary["command"].removeprefix("python gan_1d.py"))
    versions = {"python": sys.version.split()[0], "tensorflow": tf.__version__}
    versions |= {"numpy": np.__version__, "matplotlib": matplotlib.__version__}
    wanted = {"command": summary["command"], "versions": versions, "final": trained(**SAME).final}
    assert summary == wanted | {"settings": vars(parse_settings(words))}


def test_print_pairs_prints_what_the_article_prints(full_run, capsys):
    gan_1d.print_pairs({"iteration": 7}, *np.float32([[[0.1], [0.25]], [[1 / 3], [1]]]))
    assert capsys.readouterr().out == "7\nD1: 0.1 ,D2: 0.33333334\n7\nD1: 0.25 ,D2: 1.0\n"
    assert len(re.findall(r"\d+\nD1: \S+ ,D2: \S+\n", full_run[0])) == 3 * 20


def test_of_many_runs_each_is_what_it_is_alone_and_one_that_diverges_has_an_empty_row(tmp_path):
    # So large that the numbers of some seeds become infinite, and those of others just do not
    flags = [*TINY, "--learning-rate=1.2e19", "--r1-gamma=1e18", "--size=10", "--seed=3"]
    call_main(*flags, "--runs", "3", "--output-dir", tmp_path)
    final = gan_1d.train(parse_settings([*flags, "--seed=5"])).final
    alone = ",".join(["5", *(str(final[name]) for name in RUN_COLUMNS), "False"])
    lines = (tmp_path / "runs.csv").read_text(encoding="utf-8").splitlines()
    assert lines[2:] == ["4,,,,,,,,,True", alone]


def test_when_all_seeds_diverge_summary_json_is_json_all_the_same(tmp_path):
    flags = ["--learning-rate=1e30", "--r1-gamma=1e30", "--runs=2", "--output-dir", tmp_path]
    assert call_main(*TINY, *flags).status == 0
    assert summary_of(tmp_path)["final"] == {"d_near_half": 0, "g_matches": 0, "diverged": 2}


def test_a_fault_is_said_in_one_line_with_the_file_if_it_is_the_disks(tmp_path):
    text = "Graph execution error:\n\nOOM when allocating\n\t [[node]]"
    memory, disk = tf.errors.ResourceExhaustedError(None, None, text), OSError(28, "No space left")
    assert call_main(*TINY, "--output-dir", tmp_path).status == 0
    samples = (tmp_path / "samples.npy").read_bytes()
    for place, error, said in (
        ("gan_1d.RealDataLoader.next_batch", memory, "OOM when allocating"),
        ("gan_1d.Run.draw_block", MemoryError(), "MemoryError"),
        ("gan_1d.Run.draw_block", FloatingPointError("it diverges"), "it diverges"),
        ("numpy.save", disk, f"{tmp_path / 'samples.npy'}: {disk.strerror}"),
        ("pathlib.Path.write_text", disk, f"{tmp_path / 'metrics.csv'}: {disk.strerror}"),
    ):
        with mock.patch(place, side_effect=error):
            run = call_main(*TINY, "--output-dir", tmp_path)
        assert (run.status, run.err) == (1, f"gan_1d.py: error: {said}\n")
        assert (tmp_path / "samples.npy").read_bytes() == samples
        assert (tmp_path / "checkpoints").exists() == (said != "it diverges")


def test_a_python_that_is_too_old_is_told_so():
    with mock.patch("sys.version_info", (3, 9, 18)), pytest.raises(SystemExit, match=r"3\.10 or"):
        runpy.run_path(str(ROOT / "gan_1d.py"), run_name="__main__")


@pytest.mark.skipif(os.name == "nt", reason="needs a POSIX shell")
def test_optimized_with_closed_streams_usetex_ascii_and_no_backend_a_run_is_the_same(tmp_path):
    (tmp_path / "matplotlibrc").write_text("text.usetex: True", encoding="utf-8")
    # TensorFlow 2.16 can't be imported without docstrings
    line = f'"$0" -O{"O" * (tf.__version__ >= "2.21")} -W error "$@" --plots <&- 2>&-'
    words = ["sh", "-c", line, sys.executable, ROOT / "gan_1d.py", *TINY, "--output-dir=ü大"]
    changed = USERS | {"PYTHONIOENCODING": "ascii", "MPLBACKEND": "nonsense"}
    assert b"to \\xfc\\u5927" in subprocess.check_output(words, cwd=tmp_path, env=changed)
    assert set(os.listdir(tmp_path / "ü大")) == NUMBERS | PICTURES
    assert np.array_equal(np.load(tmp_path / "ü大" / "samples.npy"), trained(**SAME).samples)


def test_in_a_host_process_variables_collector_keras_and_backend_are_left_alone(tmp_path):
    own = {"XLA_FLAGS": "--xla_backend_optimization_level=1", "ONEDNN_MAX_CPU_ISA": "SSE41"}
    own |= {"TF_ENABLE_ONEDNN_OPTS": "1", "TF_CPP_MIN_LOG_LEVEL": "2", "MPLBACKEND": "svg"}
    words = [sys.executable, "-c", HOST, json.dumps(own), ROOT / "gan_1d.py", *TINY]
    out = subprocess.check_output(words, cwd=tmp_path, env=USERS)
    assert out.split() == [b"True"] * 6 + [b"svg"]


def test_a_users_own_xla_flags_are_the_last_so_that_they_count(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--own")
    gan_1d.set_library_flags.__wrapped__()
    assert os.environ["XLA_FLAGS"].split()[-1] == "--own"


def test_through_a_pipe_the_first_line_arrives_at_once(tmp_path):
    words = [sys.executable, ROOT / "gan_1d.py", *TINY, "--epoch=1000000", "--output-dir", tmp_path]
    with subprocess.Popen(words, stdout=subprocess.PIPE, bufsize=0, env=USERS) as run:
        first = run.stdout.read(8192)
        run.kill()
    assert (first[:9], len(first) < 4096) == (b"iteration", True)


@ours
def test_both_recipes_runs_have_the_committed_bytes(article_run, tmp_path):
    for name in ("metrics.csv", "samples.npy"):
        theirs = (ROOT / "outputs" / "article" / name).read_bytes()
        assert (article_run.folder / name).read_bytes() == theirs
    log = mock.Mock(side_effect=[None, None, EOFError])  # the rest of the training is not needed
    with pytest.raises(EOFError):
        gan_1d.train(Settings(**RECIPES["recommended"]), log)
    gan_1d.write_csv(tmp_path / "rows.csv", [call.args[0] for call in log.call_args_list])
    theirs = (ROOT / "outputs" / "recommended" / "metrics.csv").read_bytes()
    assert theirs.startswith((tmp_path / "rows.csv").read_bytes())


def test_the_committed_runs_have_the_recipes_settings():
    for recipe, changes in RECIPES.items():
        settings = summary_of(ROOT / "outputs" / recipe)["settings"]
        chosen = {"animate": True, "output_dir": settings["output_dir"]}
        assert settings == vars(Settings(**changes | chosen))
