"""Discovery: real distributions, good and hostile, each with its own state and reason, none harming another."""

from __future__ import annotations

from pathlib import Path

import pytest

from corekit.errors import PluginError
from corekit.plugins import discovery
from corekit.plugins.discovery import PluginStatus, load_all, require
from tests.plugins.distributions import GOOD_BACKEND, GOOD_CORPUS, Site

_API = "COREKIT_API = 1\nfrom corekit import hookimpl\n"
_CORPUS = _API + "@hookimpl\ndef corekit_corpus(): ...\n"
_HOOKS = (
    "corekit_backend, corekit_corpus, corekit_export_formats, corekit_extract_features, corekit_make_sample, corekit_read_corpus, "
    "corekit_shape_row, corekit_write_manifest"
)

BROKEN = {
    "imports": ("import no_such_module_anywhere", "importing {m} failed: ModuleNotFoundError: No module named 'no_such_module_anywhere'"),
    "exits": ("raise SystemExit('bye')", "importing {m} failed: SystemExit: bye"),
    "raises": ("raise RuntimeError('two\\n   lines')", "importing {m} failed: RuntimeError: two lines"),
    "silent": ("raise ValueError", "importing {m} failed: ValueError"),
    "noapi": ("", "it states no COREKIT_API; this corekit speaks 1"),
    "oldapi": ("COREKIT_API = 0", "it speaks plugin API 0; this corekit speaks 1"),
    "textapi": ("COREKIT_API = '1'", "it speaks plugin API '1'; this corekit speaks 1"),
    "unknown": (_API + "@hookimpl\ndef corekit_corpsu(): ...\n", f"it implements the unknown hook corekit_corpsu; the hooks are {_HOOKS}"),
    "missing": (_API, "a corpus plugin must implement corekit_corpus"),
    "unmarked": (_API + "def corekit_corpus(): ...\n", "a corpus plugin must implement corekit_corpus"),
    "wrapper": (_API + "@hookimpl(wrapper=True)\ndef corekit_corpus():\n    return (yield)\n",
                "its corekit_corpus is a hook wrapper, which corekit does not call"),
    "evil": (_API + "class Evil:\n    COREKIT_API = 1\n    @property\n    def corekit_corpus(self): raise RuntimeError('no')\nevil = Evil()\n",
             "a corpus plugin must implement corekit_corpus"),
}  # fmt: skip


def status_of(name: str) -> PluginStatus:
    (status,) = [status for status in load_all() if status.name == name]
    return status


def test_a_strangers_plugins_are_found_like_ours(site: Site) -> None:
    site.add_corpus("farm", GOOD_CORPUS, distribution="Strangers-Farms")
    site.add_backend("flat", GOOD_BACKEND)
    assert status_of("farm") == PluginStatus(
        kind="corpus",
        name="farm",
        distribution="Strangers-Farms",
        version="1.0",
        module="mod_Strangers_Farms_farm",
        state="ok",
        reason="",
        hooks=("corekit_corpus", "corekit_read_corpus", "corekit_shape_row"),
    )
    assert status_of("flat").state == "ok"
    assert require("corpus", "farm").plugin.COREKIT_API == 1


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_plugin_is_reported_with_its_reason(site: Site, name: str) -> None:
    source, reason = BROKEN[name]
    site.add_corpus(name, source)
    reason = reason.format(m=f"mod_dist_{name}_{name}")
    status = status_of(name)
    assert (status.state, status.reason, status.distribution) == ("broken", reason, f"dist-{name}")
    with pytest.raises(PluginError) as caught:
        require("corpus", name)
    assert str(caught.value) == (
        f"the corpus {name!r} of dist-{name} 1.0 cannot be used: {reason}; repair or reinstall dist-{name}"
    )
    assert caught.value.plugin == name
    assert caught.value.exit_code == 2


def test_a_syntax_error_names_file_and_line(site: Site) -> None:
    site.add_corpus("syntax", "x = 1\ndef broken(:\n")
    assert status_of("syntax").reason.startswith("importing mod_dist_syntax_syntax failed: SyntaxError: ")
    assert status_of("syntax").reason.endswith("(mod_dist_syntax_syntax.py, line 2)")


def test_a_wrong_signature_shows_what_is_wrong(site: Site) -> None:
    site.add_corpus("signature", _CORPUS + "@hookimpl\ndef corekit_read_corpus(root, wrong): ...\n")
    reason = status_of("signature").reason
    assert reason.startswith("a hook has the wrong signature: PluginValidationError: ")
    assert "corekit_read_corpus" in reason
    assert "{'wrong'}" in reason
    assert "\n" not in reason


def test_a_missing_module_attribute_is_an_import_failure(site: Site) -> None:
    site.add("dist-attr", {"corekit.corpora": {"attr": "mod_attr:Nothing"}}, {"mod_attr": _CORPUS})
    assert status_of("attr").reason == (
        "importing mod_attr:Nothing failed: AttributeError: module 'mod_attr' has no attribute 'Nothing'"
    )


def test_an_object_can_be_a_plugin(site: Site) -> None:
    source = (
        "from corekit import hookimpl\nclass Plugin:\n    COREKIT_API = 1\n"
        "    @hookimpl\n    def corekit_corpus(self): ...\nplugin = Plugin()\n"
    )
    site.add("dist-object", {"corekit.corpora": {"object": "mod_object:plugin"}}, {"mod_object": source})
    assert (status_of("object").state, status_of("object").hooks) == ("ok", ("corekit_corpus",))


def test_broken_ones_harm_nobody_else(site: Site) -> None:
    before = [status for status in load_all() if status.state == "ok"]
    for name, (source, _) in BROKEN.items():
        site.add_corpus(name, source)
    site.add_corpus("farm", GOOD_CORPUS)
    statuses = load_all()
    assert {status.name for status in statuses if status.state == "broken"} == set(BROKEN)
    assert [status for status in statuses if status.state == "ok" and status.name != "farm"] == before
    assert require("corpus", "farm").status.state == "ok"


def test_they_are_listed_by_kind_then_name(site: Site) -> None:
    site.add_backend("aaa", "")
    site.add_corpus("zzz", "")
    site.add_extension("mmm", _API)
    kinds = list(discovery.GROUPS)
    listed = [(kinds.index(status.kind), status.name) for status in load_all()]
    assert listed == sorted(listed)
    assert status_of("mmm").state == "ok"
    assert status_of("aaa").reason == "it states no COREKIT_API; this corekit speaks 1"


def test_one_name_claimed_by_two_distributions(site: Site) -> None:
    site.add_corpus("farm", GOOD_CORPUS, distribution="farms-one")
    site.add_corpus("farm", GOOD_CORPUS, distribution="farms-two")
    statuses = [status for status in load_all() if status.name == "farm"]
    reason = "the name is claimed by 'farms-one' and 'farms-two'; uninstall all but one"
    assert [(s.distribution, s.state, s.reason) for s in statuses] == [
        ("farms-one", "broken", reason),
        ("farms-two", "broken", reason),
    ]
    with pytest.raises(PluginError) as caught:
        require("corpus", "farm")
    assert str(caught.value) == f"the corpus 'farm' cannot be used: {reason}"


def test_one_name_in_two_kinds_is_no_clash(site: Site) -> None:
    site.add_corpus("flat", GOOD_CORPUS, distribution="flat-corpus")
    site.add_backend("flat", GOOD_BACKEND, distribution="flat-backend")
    assert {status.state for status in load_all() if status.name == "flat"} == {"ok"}


def leaves_a_trace(trace: Path) -> str:
    return f"import pathlib\npathlib.Path({str(trace)!r}).touch()\n{_CORPUS}"


@pytest.mark.parametrize("way", ["option", "environment"])
def test_a_disabled_plugin_is_never_imported(
    site: Site, tmp_path: Path, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace = tmp_path / "imported"
    site.add_corpus("traced", leaves_a_trace(trace))
    disable = ("traced",) if way == "option" else ()
    if way == "environment":
        monkeypatch.setenv("COREKIT_DISABLE", "other, traced ,")
    (status,) = [status for status in load_all(disable) if status.name == "traced"]
    assert (status.state, status.reason, status.hooks) == ("disabled", "switched off by the user", ())
    with pytest.raises(PluginError) as caught:
        require("corpus", "traced", disable)
    assert str(caught.value) == ("the corpus 'traced' is switched off; leave it out of --disable and COREKIT_DISABLE")
    assert not trace.exists()


def test_asking_for_one_imports_no_other(site: Site, tmp_path: Path) -> None:
    trace = tmp_path / "imported"
    site.add_corpus("traced", leaves_a_trace(trace))
    site.add_corpus("farm", GOOD_CORPUS)
    require("corpus", "farm")
    assert not trace.exists()
    require("corpus", "traced")
    assert trace.exists()


def test_what_a_plugin_prints_does_not_reach_standard_output(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    site.add_corpus("loud", f"print('hello')\n{_CORPUS}")
    assert status_of("loud").state == "ok"
    assert capsys.readouterr() == ("", "hello\n")


def test_an_unknown_name_lists_what_is_installed(site: Site) -> None:
    site.add_corpus("farm", GOOD_CORPUS)
    with pytest.raises(PluginError) as caught:
        require("corpus", "my_corpus")
    installed = ", ".join(point.name for point in discovery.installed("corpus"))
    assert "farm" in installed.split(", ")
    assert str(caught.value) == (
        f"no corpus is called 'my_corpus'; installed: {installed}; "
        "install the distribution that provides it (pip install corekit-my-corpus)"
    )


def test_what_cannot_be_used_is_not_offered_for_an_unknown_name(site: Site) -> None:
    site.add_corpus("bad", "raise SystemExit(0)")
    for distribution in ("twins-one", "twins-two"):
        site.add_corpus("twin", GOOD_CORPUS, distribution=distribution)
    site.add_corpus("farm", GOOD_CORPUS)
    with pytest.raises(PluginError) as caught:
        require("corpus", "off", ["farm"])
    offered = str(caught.value).partition("; installed: ")[2].partition("; ")[0].split(", ")
    assert {"bvi_dvc", "chug", "k150k", "konvid", "netflix"} <= set(offered)  # and what other tests have installed
    assert not {"bad", "twin", "farm"} & set(offered)


def test_nothing_installed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "installed", lambda kind: [])
    with pytest.raises(PluginError, match=r"^no backend is called 'x'; installed: none; install"):
        require("backend", "x")
