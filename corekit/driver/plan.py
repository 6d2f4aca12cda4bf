"""The plan of a run: which rows there will be, what each is compared with, and what cannot be measured at all."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

import msgspec
from msgspec import Struct

from corekit.driver.corpus import Corpus
from corekit.driver.labels import label_problem
from corekit.driver.options import RunOptions
from corekit.driver.tasks import Task
from corekit.errors import CorpusError, UsageError
from corekit.files import sha256_file
from corekit.model import Clip, Pairing
from corekit.split import GIVEN_POLICY, unit_hash

MISSING_REFERENCE = "missing-reference"


class Problem(Struct, frozen=True):
    """A clip that would be a row but cannot be measured, known before any video is opened."""

    clip: Clip
    stage: str
    message: str


class Plan(Struct, frozen=True, kw_only=True):
    """What a run will do, in row order."""

    run_id: str
    pairing: Pairing
    features: tuple[str, ...]
    tasks: tuple[Task, ...]
    """Rows to be, in row order; a task whose files are missing is among ``missing`` instead."""
    missing: tuple[Clip, ...]
    """Clips that the labels name and the disk lacks, references among them."""
    problems: tuple[Problem, ...]
    splits: dict[str, dict[str, int]]
    contents: int
    label_sha256: dict[str, str]
    """Label file, as the clips' origins name it, to the digest of its bytes."""

    def groups(self) -> list[list[Task]]:
        """Tasks that share one decoded source, in the order of their first row."""
        groups: dict[str, list[Task]] = {}
        for task in self.tasks:
            source = task.reference or task.clip
            groups.setdefault(source.name, []).append(task)
        return list(groups.values())


def make_plan(
    corpus: Corpus, options: RunOptions, features: tuple[str, ...], corpus_settings: Mapping[str, str]
) -> Plan:
    """Pair, limit and shard the clips of a corpus; opens label files (to hash them) and no video.

    Raises
    ------
    UsageError
        The pairing is not one that the corpus offers.
    CorpusError
        No clip is left to measure, or the corpus names no references.
    """
    pairing = choose_pairing(corpus, options)
    candidates = _pair(corpus, pairing, options)
    sifted = _Sifted(corpus)
    for task, problem in candidates:
        sifted.add(task, problem)
    contents = _limited(sifted, options.limit)
    label_sha256 = {name: sha256_file(path) for name, path in corpus.label_files().items()}
    run_id = _run_id(corpus, options, pairing, features, label_sha256, sifted.names_in(contents), corpus_settings)
    contents = {content for content in contents if in_shard(content, options)}
    if options.only:
        contents &= _contents_of(corpus, options.only)
    tasks = tuple(task for task in sifted.tasks if task.clip.content in contents and _asked(task.clip, options))
    return Plan(
        run_id=run_id,
        pairing=pairing,
        features=features,
        tasks=tasks,
        missing=tuple(
            clip for clip in corpus if clip.content in contents and _asked(clip, options) and not sifted.has(clip)
        ),
        problems=tuple(
            problem for problem in sifted.problems if problem.clip.content in contents and _asked(problem.clip, options)
        ),
        splits=_splits(corpus, options, tasks, contents),
        contents=len(contents),
        label_sha256=label_sha256,
    )


def _asked(clip: Clip, options: RunOptions) -> bool:
    return not options.only or clip.name in options.only


def _contents_of(corpus: Corpus, names: Sequence[str]) -> set[str]:
    """The contents of some clips, which must be among those that the labels name."""
    known = {clip.name: clip.content for clip in corpus}
    for name in names:
        if name not in known:
            raise UsageError(f"--only {name}: the labels of {corpus.info.title} name no such clip")
    return {known[name] for name in names}


def choose_pairing(corpus: Corpus, options: RunOptions) -> Pairing:
    """The pairing asked for, or the first of the corpus's that its clips allow."""
    offered = corpus.info.pairings
    reason = next((clip.unpaired for clip in corpus if clip.unpaired), "")
    if options.pairing is None:
        return _encodable(corpus, "nr" if reason and "nr" in offered else offered[0])
    if options.pairing not in offered:
        raise UsageError(f"--pairing {options.pairing}: {corpus.info.title} offers {', '.join(offered)}")
    if options.pairing == "fr" and reason:
        raise CorpusError(f"--pairing fr: {reason}; use --pairing nr")
    return _encodable(corpus, options.pairing)


def _encodable(corpus: Corpus, pairing: Pairing) -> Pairing:
    bare = next((clip for clip in corpus if clip.encode is None), None)
    if pairing == "synthetic" and bare is not None:
        raise UsageError(
            f"--pairing synthetic: the plugin of {corpus.info.title} gives no recipe for an encode of {bare.name}; "
            "choose another pairing"
        )
    return pairing


def in_shard(content: str, options: RunOptions) -> bool:
    """Whether a content belongs to the part of the corpus that ``--shard`` names."""
    index, count = options.shard_numbers()
    return int(unit_hash(f"shard\0{content}") * count) == index - 1


def split_policy(corpus: Corpus, clip: Clip) -> str:
    """How the clip's split came about."""
    return GIVEN_POLICY if clip.split else corpus.info.split_policy


class _Sifted:
    """Candidate rows, told apart by what is known of them before any video is opened."""

    def __init__(self, corpus: Corpus) -> None:
        self._corpus = corpus
        self._present: dict[str, bool] = {}
        self.tasks: list[Task] = []
        self.problems: list[Problem] = []
        self._names: dict[str, list[str]] = defaultdict(list)

    def add(self, task: Task, problem: Problem | None) -> None:
        clip = task.clip
        self._names[clip.content].append(clip.name)
        if problem is not None:
            self.problems.append(problem)
        elif task.encode is None and (reason := label_problem(clip, self._corpus.info)):
            self.problems.append(Problem(clip, "label", reason))
        elif not self.has(clip):
            pass  # among the missing
        elif task.reference is not None and not self.has(task.reference):
            gone = f"{task.reference.path} {self._corpus.places.absence(task.reference)}"
            message = f"its reference {gone}; restore it, or leave the content out"
            self.problems.append(Problem(clip, MISSING_REFERENCE, message))
        else:
            self.tasks.append(task)

    def rows_of(self) -> dict[str, int]:
        """Content to rows that can be measured; contents without any are included with 0."""
        counts = Counter(task.clip.content for task in self.tasks)
        return {content: counts[content] for content in self._names}

    def names_in(self, contents: Iterable[str]) -> list[str]:
        return sorted(name for content in contents for name in self._names[content])

    def has(self, clip: Clip) -> bool:
        if clip.name not in self._present:
            self._present[clip.name] = self._corpus.has(clip)
        return self._present[clip.name]


def _pair(corpus: Corpus, pairing: Pairing, options: RunOptions) -> list[tuple[Task, Problem | None]]:
    references: dict[str, list[Clip]] = defaultdict(list)
    if pairing == "fr":
        for clip in corpus:
            if clip.is_reference:
                references[clip.content].append(clip)
    pairs: list[tuple[Task, Problem | None]] = []
    for clip in corpus:
        if clip.is_reference:
            if options.include_references:
                pairs.append((Task(clip=clip, reference=None, pairing=pairing), None))
            continue
        if pairing == "synthetic":
            pairs.append((Task(clip=clip, reference=clip, pairing=pairing, encode=clip.encode), None))
            continue
        found = references[clip.content] if pairing == "fr" else []
        reference = found[0] if found else None
        pairs.append((Task(clip=clip, reference=reference, pairing=pairing), _no_reference(clip, found, pairing)))
    return pairs


def _no_reference(clip: Clip, found: list[Clip], pairing: Pairing) -> Problem | None:
    if pairing != "fr" or len(found) == 1:
        return None
    where = clip.origin or clip.path
    if found:
        names = " and ".join(f"{other.name} ({other.origin})" for other in found)
        message = (
            f"{where}: content {clip.content!r} has {len(found)} references, {names}; mark one alone as the reference"
        )
    else:
        message = f"{where}: no reference is named for content {clip.content!r}; add its row, or use --pairing nr"
    return Problem(clip, "reference", message)


def _limited(sifted: _Sifted, limit: int | None) -> set[str]:
    rows = sifted.rows_of()
    if limit is None:
        return set(rows)
    chosen: set[str] = set()
    total = 0
    for content in sorted(rows, key=lambda name: (unit_hash(name), name)):
        if total >= limit:
            break
        if rows[content]:
            chosen.add(content)
            total += rows[content]
    return chosen


def _splits(
    corpus: Corpus, options: RunOptions, tasks: Iterable[Task], contents: set[str]
) -> dict[str, dict[str, int]]:
    of_content = {clip.content: corpus.split(clip, options.split_seed) for clip in corpus if clip.content in contents}
    of_contents = Counter(of_content.values())
    of_clips = Counter(of_content[clip.content] for clip in corpus if clip.content in contents)
    of_rows = Counter(of_content[task.clip.content] for task in tasks)
    return {
        split: {"contents": of_contents[split], "clips": of_clips[split], "rows": of_rows[split]}
        for split in ("train", "val", "test")
    }


def _run_id(
    corpus: Corpus,
    options: RunOptions,
    pairing: Pairing,
    features: tuple[str, ...],
    label_sha256: dict[str, str],
    names: list[str],
    corpus_settings: Mapping[str, str],
) -> str:
    parts: dict[str, object] = {
        "corpus": corpus.info.name,
        "version": corpus.info.version,
        "labels": sorted(label_sha256.values()),
        "clips": names,
        "pairing": pairing,
        "features": list(features),
        "identity": options.identity,
        "include_references": options.include_references,
        "frame_mismatch": options.frame_mismatch,
        "split_seed": options.split_seed or corpus.info.split_seed,
        "settings": dict(corpus_settings),
    }
    if pairing == "synthetic":
        recipes = {msgspec.json.encode(clip.encode, order="deterministic") for clip in corpus}
        parts["encodes"] = sorted(recipe.decode() for recipe in recipes)
    return hashlib.sha256(msgspec.json.encode(parts, order="deterministic")).hexdigest()[:32]
