"""One run's plugin manager: core's defaults, the one corpus, the one backend and the extensions, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from corekit.backends.base import BackendInfo, DeviceLost, Extractor
from corekit.errors import BackendError, CorekitError, PluginError, UsageError
from corekit.exports import core as exports
from corekit.exports.base import ExportFormat
from corekit.model import Clip, Column, CorpusInfo, Pooled, Probe, Value
from corekit.plugins import discovery, v3_row
from corekit.plugins.declared import UndeclaredTypeError, clip_as_declared, info_as_declared
from corekit.plugins.discovery import LoadedPlugin, PluginStatus
from corekit.plugins.hookspecs import ManifestSection, RowContext, RunRecord

_INT64 = range(-(2**63), 2**63)
_TYPES: dict[str, type | tuple[type, ...]] = {"str": str, "float": (float, int), "bool": bool}
_CORE = PluginStatus(
    kind="extension", name="corekit", distribution="corekit", version="", module=v3_row.__name__, state="ok"
)


class Composition:
    """The plugins of one run, behind typed calls that check what comes back."""

    def __init__(self, disable: Sequence[str] = ()) -> None:
        self._disable = tuple(disable)
        self._manager = discovery.new_manager()
        self._owner: dict[Any, PluginStatus] = {}
        self._chosen: dict[discovery.PluginKind, LoadedPlugin] = {}
        self._statuses: list[PluginStatus] = []
        self._columns_of: dict[PluginStatus, list[str]] = {}
        self._register(LoadedPlugin(_CORE, v3_row))
        self.info: CorpusInfo | None = None
        self.backend: BackendInfo | None = None

    @property
    def plugins(self) -> list[PluginStatus]:
        """Everything that takes part, for the manifest."""
        return [status for status in self._statuses if status is not _CORE]

    def add_corpus(self, name: str) -> CorpusInfo:
        """Register the corpus of that name and return its description."""
        status = self._add("corpus", name)
        info = self._call("corpus", "corekit_corpus")
        if not isinstance(info, CorpusInfo):
            raise _broken(status, f"corekit_corpus returned {type(info).__name__}, not CorpusInfo")
        if info.name != name:
            raise _broken(status, f"its entry point is called {name!r} but its CorpusInfo says {info.name!r}")
        try:
            self.info = info_as_declared(info)
        except UndeclaredTypeError as error:
            raise _broken(status, f"its CorpusInfo says {error}") from error
        if not self.info.pairings:
            raise _broken(status, "its CorpusInfo offers no pairing")
        return self.info

    def add_backend(self, name: str) -> BackendInfo:
        """Register the backend of that name and return its description."""
        status = self._add("backend", name)
        info = self._call("backend", "corekit_backend")
        if not isinstance(info, BackendInfo):
            raise _broken(status, f"corekit_backend returned {type(info).__name__}, not BackendInfo")
        if info.name != name:
            raise _broken(status, f"its entry point is called {name!r} but its BackendInfo says {info.name!r}")
        self.backend = info
        return info

    def add_extensions(self) -> list[PluginStatus]:
        """Register every usable extension; return the statuses of those that are broken."""
        broken = []
        for point in discovery.installed("extension"):
            loaded = discovery.load(point, "extension", discovery.disabled_names(self._disable))
            if loaded.status.state == "ok":
                self._register(loaded)
            elif loaded.status.state == "broken":
                broken.append(loaded.status)
        return broken

    def can_read(self) -> bool:
        """Whether the corpus plugin reads its corpus at all."""
        return self._impl("corpus", "corekit_read_corpus") is not None

    def can_sample(self) -> bool:
        """Whether the corpus plugin makes a sample."""
        return self._impl("corpus", "corekit_make_sample") is not None

    def read_corpus(self, root: Path, options: Struct) -> Iterator[Clip]:
        """The clips of the corpus below ``root``, every field of the type that ``Clip`` declares."""
        status = self._status_of("corpus")
        for clip in self.yielded_clips(root, options):
            try:
                yield clip_as_declared(clip)
            except UndeclaredTypeError as error:
                raise PluginError(
                    status.name,
                    f"corekit_read_corpus of {status.distribution} {status.version} yielded {clip.name} with {error}; "
                    "it must yield Clips as corekit.Clip declares them",
                ) from error

    def yielded_clips(self, root: Path, options: Struct) -> Iterator[Clip]:
        """The clips as the plugin yields them, whatever their fields hold."""
        status = self._status_of("corpus")
        if not self.can_read():
            raise PluginError(
                status.name,
                f"{status.distribution} {status.version} cannot read {status.name!r} yet: it implements no "
                f"corekit_read_corpus; install a newer version of {status.distribution}",
            )
        with _blaming(status, "corekit_read_corpus"):
            for clip in self._call("corpus", "corekit_read_corpus", root=root, options=options):
                if not isinstance(clip, Clip):
                    raise PluginError(
                        status.name,
                        f"corekit_read_corpus of {status.distribution} yielded {type(clip).__name__}, not Clip",
                    )
                yield clip

    def make_sample(self, root: Path) -> None:
        """Let the corpus plugin write its sample below ``root``."""
        status = self._status_of("corpus")
        if not self.can_sample():
            raise PluginError(
                status.name,
                f"{status.distribution} {status.version} makes no sample of {status.name!r} yet: it implements no "
                f"corekit_make_sample; install a newer version of {status.distribution}",
            )
        self._call("corpus", "corekit_make_sample", root=root)

    def extractor(self, features: tuple[str, ...], *, device: str, options: Struct) -> Extractor:
        """Open the backend.

        Raises
        ------
        BackendError
            The backend cannot be used here: says what is missing and how to get it.
        """
        status = self._status_of("backend")
        extractor = self._call("backend", "corekit_extract_features", features=features, device=device, options=options)
        if not isinstance(extractor, Extractor):
            raise BackendError(
                f"corekit_extract_features of {status.distribution} returned {type(extractor).__name__}, not Extractor"
            )
        return extractor

    def shape_row(self, clip: Clip, probe: Probe, pooled: Mapping[str, Pooled], row: RowContext) -> dict[Column, Value]:
        """The columns of a row: core's, then the corpus plugin's, then the extensions' by name.

        Raises
        ------
        PluginError
            A plugin claims a column that is core's or another plugin's, misnames it or gives a value of another type.
        """
        arguments = {"clip": clip, "probe": probe, "pooled": pooled, "row": row}
        columns: dict[Column, Value] = {}
        claimed: dict[str, PluginStatus] = {}
        for impl in self._ordered_impls("corekit_shape_row"):
            status = self._owner[impl.plugin]
            with _blaming(status, f"corekit_shape_row for {clip.name}"):
                part = impl.function(*(arguments[name] for name in impl.argnames))
            if not isinstance(part, Mapping):
                raise PluginError(
                    status.name,
                    f"corekit_shape_row of {status.distribution} returned {type(part).__name__}, not a mapping of Column "
                    "to value",
                )
            for column, value in part.items():
                self._check_column(status, column, value, claimed)
                claimed[column.name] = status
                columns[column] = value
            self._check_same_columns(status, [column.name for column in part], clip)
        return columns

    def manifest_sections(self, run: RunRecord) -> list[ManifestSection]:
        """The sections that plugins contribute, in the same order as their columns."""
        sections: list[ManifestSection] = []
        for impl in self._ordered_impls("corekit_write_manifest"):
            status = self._owner[impl.plugin]
            with _blaming(status, "corekit_write_manifest"):
                section = impl.function(*([run] if impl.argnames else []))
            if not isinstance(section, ManifestSection):
                raise PluginError(
                    status.name,
                    f"corekit_write_manifest of {status.distribution} returned {type(section).__name__}, "
                    "not ManifestSection",
                )
            if any(section.name == other.name for other in sections):
                raise PluginError(
                    status.name, f"{status.distribution} writes manifest section {section.name!r}, which is taken"
                )
            sections.append(section)
        return sections

    def export_formats(self) -> dict[str, tuple[ExportFormat, PluginStatus]]:
        """Every format by name, core's and the extensions', each with who brings it.

        Raises
        ------
        PluginError
            A plugin returns something else, or two bring a format of one name.
        """
        self._register(LoadedPlugin(_CORE, exports))
        found: dict[str, tuple[ExportFormat, PluginStatus]] = {}
        for impl in self._ordered_impls("corekit_export_formats"):
            status = self._owner[impl.plugin]
            with _blaming(status, "corekit_export_formats"):
                formats = list(impl.function())
            for one in formats:
                if not isinstance(one, ExportFormat):
                    raise _broken(status, f"corekit_export_formats returned {type(one).__name__}, not ExportFormat")
                if one.name in found:
                    raise PluginError(
                        status.name,
                        f"the format {one.name!r} is brought by {found[one.name][1].distribution} and {status.distribution}; "
                        "switch one off with --disable",
                    )
                found[one.name] = one, status
        return found

    def _add(self, kind: discovery.PluginKind, name: str) -> PluginStatus:
        loaded = discovery.require(kind, name, self._disable)
        self._register(loaded)
        self._chosen[kind] = loaded
        return loaded.status

    def _register(self, loaded: LoadedPlugin) -> None:
        self._statuses.append(loaded.status)
        if loaded.plugin not in self._owner:  # one module may be corpus and backend at once
            self._manager.register(loaded.plugin, name=f"{loaded.status.kind}:{loaded.status.name}:{id(loaded.plugin)}")
            self._owner[loaded.plugin] = loaded.status

    def _impl(self, kind: discovery.PluginKind, hook: str) -> Any:
        """The chosen plugin's own implementation of a hook, or None: no other plugin answers for it."""
        plugin = self._chosen[kind].plugin
        impls = getattr(self._manager.hook, hook).get_hookimpls()
        return next((impl for impl in impls if impl.plugin is plugin), None)

    def _call(self, kind: discovery.PluginKind, hook: str, **arguments: Any) -> Any:
        impl = self._impl(kind, hook)
        with _blaming(self._chosen[kind].status, hook):
            return impl.function(*(arguments[name] for name in impl.argnames))

    def _ordered_impls(self, hook: str) -> list[Any]:
        order = {"corpus": 1, "backend": 2, "extension": 3}
        impls = getattr(self._manager.hook, hook).get_hookimpls()

        def key(impl: Any) -> tuple[int, str]:
            status = self._owner[impl.plugin]
            return 0 if status is _CORE else order[status.kind], status.name

        return sorted(impls, key=key)

    def _check_column(
        self, status: PluginStatus, column: Column, value: Value, claimed: Mapping[str, PluginStatus]
    ) -> None:
        where = f"{status.distribution} {status.version}"
        if not isinstance(column, Column):
            raise PluginError(
                status.name, f"corekit_shape_row of {where} returned a key that is not a Column: {column!r}"
            )
        if column.name in claimed:
            raise PluginError(
                status.name,
                f"column {column.name!r} is claimed by {claimed[column.name].distribution} and {status.distribution}; "
                "one must rename it, or be switched off with --disable",
            )
        prefix = _prefix(status)
        if not column.name.startswith(prefix) and not self._is_metadata(status, column.name):
            raise PluginError(status.name, f"column {column.name!r} of {where} must begin with {prefix!r}")
        if not _fits(column, value):
            raise PluginError(
                status.name,
                f"column {column.name!r} of {where} is declared {column.type} but got {value!r}",
            )

    def _check_same_columns(self, status: PluginStatus, names: list[str], clip: Clip) -> None:
        if names != self._columns_of.setdefault(status, names):
            raise PluginError(
                status.name,
                f"corekit_shape_row of {status.distribution} {status.version} returned other columns for {clip.name} than "
                "for the clips before; it must return the same for every clip, with None where there is no value",
            )

    def _is_metadata(self, status: PluginStatus, column: str) -> bool:
        return status.kind == "corpus" and self.info is not None and column in self.info.metadata_keys

    def _status_of(self, kind: discovery.PluginKind) -> PluginStatus:
        if kind not in self._chosen:
            raise UsageError(f"no {kind} was chosen")
        return self._chosen[kind].status


def _prefix(status: PluginStatus) -> str:
    if status is _CORE:
        return ""
    return f"{status.name}_" if status.kind == "corpus" else f"x_{status.name}_"


def _fits(column: Column, value: Value) -> bool:
    if value is None:
        return not column.required
    if isinstance(value, bool):
        return column.type == "bool"
    if column.type == "int":
        return isinstance(value, int) and value in _INT64
    return isinstance(value, _TYPES[column.type])


def _broken(status: PluginStatus, what: str) -> PluginError:
    return PluginError(status.name, f"{broken(status)}{what}")


def broken(status: PluginStatus) -> str:
    """How an error of a plugin that does not keep the contract begins; the reason follows."""
    return f"the {status.kind} {status.name!r} of {status.distribution} {status.version} is broken: "


@contextmanager
def _blaming(status: PluginStatus, hook: str) -> Iterator[None]:
    """Turn whatever a plugin lets slip into an error that names it, an exit too; Ctrl-C stays what it is."""
    try:
        yield
    except (CorekitError, DeviceLost):
        raise
    except (Exception, SystemExit) as error:  # a plugin that exits would end the run with its own code, 0 perhaps
        where = f"{status.distribution} {status.version}"
        raise PluginError(
            status.name, f"{hook} of {where} failed with {type(error).__name__}: {error}; report it to {where}"
        ) from error


def route_settings(settings: Mapping[str, str], owners: Mapping[str, type[Struct]]) -> dict[str, dict[str, str]]:
    """Give every ``--set key=value`` to the plugins that have such an option.

    ``owners`` maps a plugin's name to the struct type of its options.

    Raises
    ------
    UsageError
        A key is known to no plugin of the run.
    """
    fields = {name: [field.encode_name for field in msgspec.structs.fields(type_)] for name, type_ in owners.items()}
    routed: dict[str, dict[str, str]] = {name: {} for name in owners}
    for key, value in settings.items():
        takers = [name for name, known in fields.items() if key in known]
        if not takers:
            offered = "; ".join(f"{name}: {', '.join(keys) or 'none'}" for name, keys in fields.items())
            raise UsageError(f"--set {key}: no plugin of this run has such an option (known: {offered})")
        for taker in takers:
            routed[taker][key] = value
    return routed


def parse_options(type_: type[Struct], settings: Mapping[str, str], owner: str) -> Struct:
    """Options of one plugin from text.

    Raises
    ------
    UsageError
        A value does not fit its type, or the plugin has no such option.
    """
    try:
        return msgspec.convert(dict(settings), type_, strict=False)
    except msgspec.ValidationError as error:
        raise UsageError(f"--set for {owner}: {error}; see the README of {owner} for its options") from error
