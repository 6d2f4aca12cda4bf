"""The options of `corekit run`: the command line and a TOML file say the same, and what neither may say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest

from corekit.cli.run import run as command
from corekit.driver.options import RunOptions
from corekit.errors import UsageError
from corekit.schema import FEATURES
from tests.cli.test_commands import invoke

EVERYTHING = """
corpus = "chug"
root = "data"
out = "out/t.parquet"
features = "canonical,vmaf"
backend = "libvmaf"
device = "cpu"
decode = "auto"
fallback = "cpu"
pairing = "nr"
identity = "compute"
include-references = true
frame-mismatch = "shortest"
split_seed = "seed"
disable = ["netflix", "konvid"]
workers = 3
shard = "2/4"
limit = 5
only = ["a.mp4", "b.mp4"]
state-dir = "state"
frames = true
jsonl = true
nan-literal = true
snapshot = 10
manifest-out = "m.json"
retry-failed = true
max-failures = 7
allow-missing = true
rehash = true
record-host = true
timeout = 12.5
[set]
ffmpeg = "/usr/bin/ffmpeg"
fast = true
window = 3
"""

AS_TYPED = """
--corpus chug --root data --out out/t.parquet --features canonical,vmaf --backend libvmaf --device cpu --decode auto --fallback cpu --pairing nr
--identity compute --include-references --frame-mismatch shortest --split-seed seed --disable netflix --disable konvid
--workers 3 --shard 2/4 --limit 5 --only a.mp4 --only b.mp4 --state-dir state --frames --jsonl --nan-literal --snapshot 10 --manifest-out m.json
--retry-failed --max-failures 7 --allow-missing --rehash --record-host --timeout 12.5 --set ffmpeg=/usr/bin/ffmpeg --set fast=true
--set window=3
"""

Ask = Callable[..., RunOptions]


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ask:
    """The options with which the command would have run the job."""
    seen: list[RunOptions] = []

    def take(options: RunOptions, **more: Any) -> NoReturn:
        seen.append(options)
        raise UsageError("seen")

    monkeypatch.setattr("corekit.driver.run.run", take)

    def ask(*arguments: str | Path) -> RunOptions:
        assert invoke(capsys, "run", *arguments) == (2, "", "corekit: seen\n")
        return seen.pop()

    return ask


@pytest.fixture
def config(tmp_path: Path) -> Callable[[str], Path]:
    def write(content: str) -> Path:
        path = tmp_path / "run.toml"
        path.write_text(content, encoding="utf-8")
        return path

    return write


def test_the_test_names_every_option() -> None:
    flags = {flag for option in command.params for flag in option.opts}
    not_of_the_job = {"--config", "--dry-run", "--json", "--log"}
    assert {word for word in AS_TYPED.split() if word.startswith("--")} == flags - not_of_the_job


def test_a_config_file_equals_the_same_options_typed(ask: Ask, config: Callable[[str], Path]) -> None:
    typed = ask(*AS_TYPED.split())
    assert ask("--config", config(EVERYTHING)) == typed
    assert typed.settings == {"ffmpeg": "/usr/bin/ffmpeg", "fast": "true", "window": "3"}
    defaults = RunOptions(corpus="other")
    same = [name for name in RunOptions.__struct_fields__ if getattr(typed, name) == getattr(defaults, name)]
    assert same == [], "every option must differ from its default for this test to see it"


def test_the_defaults_of_the_command_line_are_those_of_the_api(ask: Ask) -> None:
    assert ask("--corpus", "chug") == RunOptions(corpus="chug")


def test_the_command_line_wins_over_the_file(ask: Ask, config: Callable[[str], Path]) -> None:
    path = config('corpus = "chug"\nworkers = 3\n[set]\na = "1"\n')
    options = ask("--workers", "5", "--config", path, "--set", "b=2")
    assert (options.corpus, options.workers, options.settings) == ("chug", 5, {"b": "2"})


def test_settings_may_be_a_list_and_values_may_hold_an_equals_sign(ask: Ask, config: Callable[[str], Path]) -> None:
    assert ask("--config", config('corpus = "c"\nset = ["a=1=2", "b="]\n')).settings == {"a": "1=2", "b": ""}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("workers = ", "{path}: Invalid value (at end of document); correct the TOML"),
        ("workers = 1\nworkers = 2", "{path}: Cannot overwrite a value (at end of document); correct the TOML"),
        ("[run]\nworkers = 2", "{path}: unknown option 'run'; known: {known}"),
        ("wrokers = 2", "{path}: unknown option 'wrokers'; known: {known}"),
        ("config = 'other.toml'", "{path}: unknown option 'config'; known: {known}"),
        ("disable = 'chug'", "{path}: disable is 'chug'; give a list of texts"),
        ("disable = [1]", "{path}: disable is [1]; give a list of texts"),
        ("features = ['adm2', 'vmaf']", "{path}: features is ['adm2', 'vmaf']; give one text or number"),
        ("frames = 'yes'", "{path}: frames is 'yes'; give true or false"),
        ("frames = 1", "{path}: frames is 1; give true or false"),
        ("workers = true", "{path}: workers is True; give one text or number"),
        ("set = 'a=1'", "{path}: set is 'a=1'; give a list of texts"),
    ],
)
def test_a_config_file_that_cannot_be_used(
    capsys: pytest.CaptureFixture[str], config: Callable[[str], Path], content: str, said: str
) -> None:
    path = config(content)
    flags = sorted(flag.lstrip("-") for option in command.params for flag in option.opts if option.name is not None)
    known = ", ".join(flag for flag in flags if flag != "config")
    code, out, err = invoke(capsys, "run", "--corpus", "chug", "--config", path)
    assert (code, out, err) == (2, "", f"corekit: --config {said.format(path=path, known=known)}\n")


def test_a_number_with_a_fraction_is_not_rounded(
    capsys: pytest.CaptureFixture[str], config: Callable[[str], Path]
) -> None:
    code, _, err = invoke(capsys, "run", "--corpus", "chug", "--config", config("workers = 2.5"))
    assert code == 2
    assert "Invalid value for '--workers': '2.5' is not a valid integer." in err


def test_a_config_file_that_cannot_be_read(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "none.toml"
    assert invoke(capsys, "run", "--config", path) == (
        2, "", f"corekit: --config {path}: No such file or directory; name a TOML file\n",
    )  # fmt: skip
    path.write_bytes(b"\xff")
    code, _, err = invoke(capsys, "run", "--config", path)
    assert code == 2
    assert err.startswith(f"corekit: --config {path}: 'utf-8' codec can't decode byte 0xff")
    assert err.endswith("; correct the TOML\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--set", "logs"], "--set logs: give key=value"),
        (["--set", "=x"], "--set =x: give key=value"),
        (["--features", "adm2,amd3"], f"--features amd3: no such feature; give canonical, full, none, or names among {', '.join(FEATURES)}"),
        (["--shard", "5/4"], "--shard 5/4: give i/n with 1 <= i <= n, such as 2/4"),
        (["--shard", "0/4"], "--shard 0/4: give i/n with 1 <= i <= n, such as 2/4"),
        (["--shard", "2"], "--shard 2: give i/n with 1 <= i <= n, such as 2/4"),
        (["--shard", "-1/4"], "--shard -1/4: give i/n with 1 <= i <= n, such as 2/4"),
        (["--workers", "0"], "--workers 0: give at least 1"),
        (["--limit", "0"], "--limit 0: give at least 1"),
        (["--timeout", "0"], "--timeout 0: give a positive number of seconds"),
        (["--timeout", "nan"], "--timeout nan: give a positive number of seconds"),
        (["--max-failures", "-1"], "--max-failures -1: give 0 or more"),
        (["--out", "table.csv"], "--out table.csv: give a name that ends in .parquet"),
        (["--backend", "recorded"], "the recorded backend needs the folder of logs: give --set logs=DIR"),
        (["--backend", "recorded", "--set", "logs=/nowhere"], "--set logs=/nowhere: /nowhere is not a folder; give the folder of <clip stem>.json logs"),
        (["--disable", "chug"], "the corpus 'chug' is switched off; leave it out of --disable and COREKIT_DISABLE"),
    ],
)  # fmt: skip
def test_options_that_no_run_can_have(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for more in ([], ["--dry-run"]):
        got = invoke(capsys, "run", "--corpus", "chug", "--root", tmp_path, *arguments, *more)
        assert got == (2, "", f"corekit: {said}\n")
    assert [path.name for path in tmp_path.iterdir()] == []


def test_a_setting_that_no_plugin_has(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    arguments = ("--backend", "libvmaf", "--set", "fmpeg=x", "--out", tmp_path / "t.parquet")
    code, _, err = invoke(capsys, "run", "--corpus", "chug", "--root", tmp_path, *arguments)
    assert code == 2
    assert err.startswith("corekit: --set fmpeg: no plugin of this run has such an option (known: ")


@pytest.mark.parametrize(("option", "kind"), [("--corpus", "corpus"), ("--backend", "backend")])
def test_an_unknown_plugin(capsys: pytest.CaptureFixture[str], tmp_path: Path, option: str, kind: str) -> None:
    arguments = {"--corpus": "chug", "--root": str(tmp_path), "--out": str(tmp_path / "t.parquet"), option: "nothing"}
    code, out, err = invoke(capsys, "run", *(word for pair in arguments.items() for word in pair))
    assert (code, out) == (2, "")
    assert err.startswith(f"corekit: no {kind} is called 'nothing'; installed: ")


def test_where_is_the_corpus(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("COREKIT_CHUG_ROOT", raising=False)
    monkeypatch.chdir(tmp_path)
    code, _, err = invoke(capsys, "run", "--corpus", "chug", "--features", "none", "--dry-run")
    assert code == 2
    assert err.startswith("corekit: where is ")
    assert "give --root DIR or set COREKIT_CHUG_ROOT" in err
    code, _, err = invoke(capsys, "run", "--corpus", "chug", "--features", "none", "--root", "nowhere")
    assert code == 3
    assert err.startswith(
        f"corekit: the corpus root {tmp_path}/nowhere is not a folder; give --root the folder that holds "
    )
