"""Modules beside a script: each script has its own, whatever other scripts and the platform call theirs.

A script is a private package of this process, of which the modules of its folder are parts. Its ``import config`` means
the one beside it, as if the script had been started alone; everything else is imported as by everybody.
"""

import builtins
import importlib
import sys
from collections.abc import Mapping, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any, Final

_numbers: Final = count(1)
_scopes: Final[dict[str, "ScriptModules"]] = {}


class ScriptModules:
    """The modules of one loading of a script.

    Args:
        path: of the script.
    """

    def __init__(self, path: Path) -> None:
        self._folder = path.parent
        self._package = f"botyard_script_{next(_numbers)}"
        package = ModuleType(self._package)
        package.__path__ = [str(self._folder)]
        sys.modules[self._package] = package
        self._own: dict[str, bool] = {}
        self.builtins = {**vars(builtins), "__import__": self._import}
        self.main = self._module_of(path)
        _scopes[self._package] = self

    def _module_of(self, path: Path) -> ModuleType:
        name = f"{self._package}.{path.stem}"
        module = ModuleType(name)
        module.__file__ = str(path)
        module.__dict__["__builtins__"] = self.builtins
        sys.modules[name] = module
        return module

    @property
    def named(self) -> dict[str, ModuleType]:
        """Those that are loaded, by the names by which the script knows them."""
        first = f"{self._package}."
        return {name.removeprefix(first): found for name, found in list(sys.modules.items()) if name.startswith(first)}

    @property
    def files(self) -> list[Path]:
        """Where their code stands."""
        found = (getattr(module, "__file__", None) for module in self.named.values())
        return sorted(Path(file) for file in found if file is not None)

    def forget(self) -> None:
        """Let go of them, once nothing of the script runs any more."""
        for name in self.named:
            sys.modules.pop(f"{self._package}.{name}", None)
        sys.modules.pop(self._package, None)
        _scopes.pop(self._package, None)

    def _import(
        self,
        name: str,
        scope: Mapping[str, Any] | None = None,
        names: Mapping[str, Any] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        top = name.partition(".")[0]
        if level or not self._is_own(top):
            return builtins.__import__(name, scope, names, fromlist or (), level)
        if fromlist:
            return builtins.__import__(f"{self._package}.{name}", scope, names, fromlist, 0)
        importlib.import_module(f"{self._package}.{name}")
        return sys.modules[f"{self._package}.{top}"]

    def _is_own(self, top: str) -> bool:
        known = self._own.get(top)
        if known is None:
            folder = self._folder / top
            known = self._own[top] = (
                folder.with_suffix(".py").is_file()
                or (folder / "__init__.py").is_file()
                # A folder without the latter is a package only if nothing else has its name.
                or (any(folder.glob("*.py")) and find_spec(top) is None)
            )
        return known


class _Loader(SourceFileLoader):
    def __init__(self, name: str, path: str, modules: ScriptModules) -> None:
        super().__init__(name, path)
        self._modules = modules

    def exec_module(self, module: ModuleType) -> None:
        module.__dict__["__builtins__"] = self._modules.builtins
        super().exec_module(module)


class _Finder(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        modules = _scopes.get(fullname.partition(".")[0])
        if modules is None:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.origin is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(fullname, spec.origin, modules)
        return spec


sys.meta_path.insert(0, _Finder())
