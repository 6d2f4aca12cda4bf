"""Which keys of the metadata are taken: those that the corpora declare, or those that globs name, never a protected one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from corekit.driver.enrich.options import EnrichOptions
from corekit.driver.enrich.protected import LABELS, why_protected
from corekit.errors import PluginError, UsageError
from corekit.model import CorpusInfo
from corekit.plugins.composition import Composition
from corekit.plugins.discovery import PluginStatus

if TYPE_CHECKING:
    import pyarrow as pa

_ALIASES = {"str": "string", "int": "int64", "float": "double", "bool": "bool"}
_LABEL_TYPES = dict.fromkeys(LABELS, "double") | {"n_ratings": "int64", "label_kind": "string"}


class Keys:
    """Decides key by key; corpora that the sidecar alone names are learnt on the way."""

    def __init__(self, options: EnrichOptions, schema: pa.Schema, table_corpora: Sequence[str]) -> None:
        self._options = options
        self._schema = schema
        self._decided: dict[str, bool] = {}
        self._ask_sidecar = options.corpus is None and not table_corpora
        self._infos: dict[str, CorpusInfo | None] = {}
        self.plugins: list[PluginStatus] = []
        self.left_out: list[str] = []
        """Keys that a glob matched and that are never taken."""
        for name in [options.corpus] if options.corpus else table_corpora:
            self._add(name)

    @property
    def corpora(self) -> dict[str, CorpusInfo | None]:
        """The corpora that take part; None where no plugin describes one."""
        return self._infos

    def meet(self, corpus: object) -> None:
        """Learn of a corpus that a row of the sidecar names."""
        if self._ask_sidecar and isinstance(corpus, str) and corpus and corpus not in self._infos:
            self._add(corpus)
            self._decided.clear()

    def takes(self, key: str) -> bool:
        """Whether the values of a key go into the table.

        Raises
        ------
        UsageError
            It is a feature or label column, or a protected column that was named outright.
        """
        if key not in self._decided:
            self._decided[key] = self._decide(key)
        return self._decided[key]

    def check_found(self, available: Sequence[str], source: str) -> None:
        """Refuse metadata that has nothing to take.

        Raises
        ------
        UsageError
            No key is taken: says which there are, and how to name them.
        """
        for label in self._options.allow_labels:
            if label not in available:
                raise UsageError(f"--allow-labels {label}: {source} has no such key; it has {listed(available)}")
        if any(self.takes(key) for key in available):
            return
        if self._options.keys:
            asked = f"--keys {' '.join(self._options.keys)} matches none of them"
        elif not self._infos:
            asked = "nothing says of which corpus they are; give --corpus NAME, or --keys GLOB"
        else:
            asked = f"none is declared as metadata by {', '.join(self._infos)}; give --keys GLOB to take others"
        raise UsageError(f"{source} has the keys {listed(available)}, and {asked}")

    def type_of(self, key: str) -> pa.DataType | None:
        """The Arrow type that a key's values must fit: the table's, else the declared one, else None."""
        import pyarrow as pa

        if key in self._schema.names and not pa.types.is_null(self._schema.field(key).type):
            return self._schema.field(key).type
        if key in _LABEL_TYPES:
            return pa.type_for_alias(_LABEL_TYPES[key])
        for info in self._infos.values():
            for column in info.columns if info else ():
                if column.name == key:
                    return pa.type_for_alias(_ALIASES[column.type])
        return None

    def order(self, keys: Sequence[str]) -> list[str]:
        """Declared keys in the order of their declaration, then the others as they came."""
        declared = [key for info in self._infos.values() if info for key in info.metadata_keys]
        return [key for key in dict.fromkeys(declared) if key in keys] + [key for key in keys if key not in declared]

    def _add(self, name: str) -> None:
        composition = Composition(self._options.disable)
        try:
            self._infos[name] = composition.add_corpus(name)
        except PluginError:
            if not self._options.keys or name == self._options.corpus:
                raise
            self._infos[name] = None
        self.plugins += composition.plugins

    def _decide(self, key: str) -> bool:
        if key in self._options.allow_labels:
            return True
        globs = [glob for glob in self._options.keys if fnmatchcase(key, glob)]
        declared = any(info and key in info.metadata_keys for info in self._infos.values())
        if not globs and (self._options.keys or not declared):
            return False
        why = why_protected(key) or self._why_split(key)
        if not why:
            return True
        if why in ("a feature column", "a label column") or key in globs or not globs:
            how = "; --allow-labels names one that is wholly empty" if key in LABELS else ""
            raise UsageError(f"{key} is {why} and is never taken from metadata; leave it out of --keys{how}")
        self.left_out.append(key)
        return False

    def _why_split(self, key: str) -> str:
        names = {f"{corpus}_{part}" for corpus in self._infos for part in ("split_key", "split_policy")}
        return "a split column, which follows from the content" if key in names else ""


def check_labels(options: EnrichOptions) -> None:
    """Refuse ``--allow-labels`` for what is no label column."""
    for name in options.allow_labels:
        if name not in LABELS:
            raise UsageError(f"--allow-labels {name}: this is no label column; they are {', '.join(LABELS)}")


def seeds_of(infos: Mapping[str, CorpusInfo | None], given: str | None) -> dict[str, str]:
    """Corpus to the seed of its splits, for those of which one is known."""
    own = {name: info.split_seed for name, info in infos.items() if info}
    return dict.fromkeys(infos, given) if given else own


def listed(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    shown = ", ".join(names[:40]) or "none"
    return f"{shown} and {len(names) - 40} more" if len(names) > 40 else shown
