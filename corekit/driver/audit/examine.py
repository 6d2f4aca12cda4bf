"""The audit itself: labels, files, headers and copies of one corpus, looked at in turn, and the report of all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from corekit.driver.audit.files import (
    Disk,
    check_copies,
    check_missing,
    check_tables,
    folder_table,
    list_files,
    orphans,
)
from corekit.driver.audit.findings import Findings
from corekit.driver.audit.headers import read_headers
from corekit.driver.audit.labels import (
    LenientComposition,
    check_labels,
    check_references,
    label_files,
    label_summary,
)
from corekit.driver.audit.names import name_patterns
from corekit.driver.audit.report import AuditReport, Counts, Headers
from corekit.driver.corpus import Corpus, find_root, open_for_run
from corekit.driver.estimate import estimate
from corekit.driver.options import RunOptions, resolve_features
from corekit.driver.plan import Plan, make_plan
from corekit.errors import CorpusError, UsageError
from corekit.model import CorpusInfo, Pairing
from corekit.plugins.composition import route_settings

Progress = Callable[[str, int, int | None], None]
"""Told what is being done, how much of it is done, and how much there is, if that is known."""


def audit(
    name: str,
    root: Path | str | None = None,
    *,
    pairing: Pairing | None = None,
    settings: Mapping[str, str] | None = None,
    disable: Sequence[str] = (),
    headers: int | None = None,
    split_seed: str | None = None,
    workers: int = 1,
    progress: Progress | None = None,
) -> AuditReport:
    """Look a corpus over before it is measured: label files, the tree below the root, and headers; no clip is decoded.

    ``headers`` is how many clips are opened, None for all of them and 0 for none; ``workers`` how many at a time.
    The other arguments are those of a run.

    Raises
    ------
    PluginError
        No usable plugin of that name.
    UsageError
        No root was named, or an option is unknown.
    CorpusError
        The root is no folder, or the corpus cannot be paired as asked. Labels that cannot be read are a finding.
    """
    if workers < 1:
        raise UsageError(f"--workers {workers}: give at least 1")
    if headers is not None and headers < 0:
        raise UsageError(f"--headers {headers}: give all, none or a number of clips")
    options = RunOptions(
        corpus=name,
        root=Path(root) if root else None,
        pairing=pairing,
        settings=dict(settings or {}),
        disable=tuple(disable),
        split_seed=split_seed,
    )
    findings = Findings()
    composition = LenientComposition(options.disable, findings)
    info = composition.add_corpus(name)
    found = find_root(info, options.root)
    corpus_settings = route_settings(options.settings, {f"corpus {info.name}": info.options})[f"corpus {info.name}"]
    look = _Look(findings, workers, progress or _silent)
    try:
        corpus = open_for_run(composition, options, corpus_settings)
    except CorpusError as error:
        findings.add("labels-refused", str(error))
        return look.without_labels(info, found)
    plan = make_plan(corpus, options, resolve_features(info.default_features), corpus_settings)
    return look.whole(corpus, plan, composition, options, most=headers)


def _silent(what: str, done: int, total: int | None) -> None:
    pass


class _Look(Struct, frozen=True):
    """One audit: where its findings go, how much it does at a time, and whom it tells."""

    findings: Findings
    workers: int
    progress: Progress

    def without_labels(self, info: CorpusInfo, root: Path) -> AuditReport:
        """The report where no clip is known."""
        nobody = Corpus(info, root, ())
        disk = self._list(nobody)
        return self._report(nobody, None, disk, counts=Counts(), headers=None, options=None)

    def whole(
        self, corpus: Corpus, plan: Plan, composition: LenientComposition, options: RunOptions, *, most: int | None
    ) -> AuditReport:
        """The report of a corpus whose labels could be read."""
        info, findings = corpus.info, self.findings
        disk = self._list(corpus)
        astray = orphans(corpus, disk)
        check_labels(corpus, plan, findings)
        check_references(corpus, plan, findings)
        check_missing(plan.missing, astray, findings, normal=info.missing_is_normal)
        for path in astray:
            findings.add("orphan-file", path)
        check_tables(corpus, disk, findings)
        _check_plan(corpus, plan, findings)
        headers = None
        if most != 0:
            headers = read_headers(
                corpus, plan, composition, findings, most=most, workers=self.workers, on_file=self._telling("headers")
            )
        check_copies(
            corpus, disk, findings, split_seed=options.split_seed, workers=self.workers, on_file=self._telling("copies")
        )
        sizes = [disk.videos.get(clip.path, 0) for clip in corpus]
        counts = Counts(
            clips=len(corpus),
            references=sum(clip.is_reference for clip in corpus),
            contents=plan.contents,
            rows=len(plan.tasks),
            present=len(corpus) - len(plan.missing),
            missing=len(plan.missing),
            orphans=len(astray),
            bytes_present=sum(sizes),
        )
        return self._report(corpus, plan, disk, counts=counts, headers=headers, options=options)

    def _list(self, corpus: Corpus) -> Disk:
        seen = Counter[str]()

        def on_file() -> None:
            seen["files"] += 1
            self.progress("files", seen["files"], None)

        return list_files(corpus, self.findings, on_file)

    def _telling(self, what: str) -> Callable[[int, int], None]:
        return lambda done, total: self.progress(what, done, total)

    def _report(
        self, corpus: Corpus, plan: Plan | None, disk: Disk, *,
        counts: Counts, headers: Headers | None, options: RunOptions | None,
    ) -> AuditReport:  # fmt: skip
        info = corpus.info
        _check_licences(info, self.findings)
        listed = self.findings.listed()
        missing = {clip.name for clip in plan.missing} if plan else set()
        return AuditReport(
            corpus=info.name,
            title=info.title,
            version=info.version,
            root=str(corpus.root),
            pairing=plan.pairing if plan else None,
            ok=all(finding.severity != "error" for finding in listed),
            findings=listed,
            counts=counts,
            label_files=label_files(corpus),
            folders=folder_table(corpus, missing, disk),
            names=name_patterns(clip.name for clip in corpus),
            rungs=dict(Counter(clip.rung for clip in corpus if clip.rung).most_common()),
            labels=label_summary(corpus),
            headers=headers,
            splits=plan.splits if plan else {},
            split_policy=info.split_policy,
            estimate=estimate(corpus, plan.tasks, options, plan.features) if plan and options else None,
            licences=info.licences,
            treat_as=info.treat_as,
            notes=info.notes,
        )


def _check_plan(corpus: Corpus, plan: Plan, findings: Findings) -> None:
    if not plan.tasks:
        findings.add("nothing-to-measure", f"{len(corpus)} clips named, {len(plan.missing)} missing")
    for split, counted in plan.splits.items():
        if plan.tasks and not counted["contents"]:
            findings.add("empty-split", split)


def _check_licences(info: CorpusInfo, findings: Findings) -> None:
    if len({licence.name for licence in info.licences}) > 1:
        for licence in info.licences:
            findings.add("licences-contradict", f"{licence.name}: {licence.stated_in}")
