"""A scenario: one folder of Tests/Scenarios, described by its scenario.toml."""
import os
import shutil
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

import places

KEYS = {"about", "limit", "command", "status", "native", "stderr", "needs", "manifests", "canary", "environment", "variants",
        "programs"}


class BadScenario(Exception):
    pass


@dataclass
class Scenario:
    name: str
    folder: Path
    about: str
    limit: float
    command: list
    status: int
    native: bool
    stderr: str
    needs: list
    manifests: str
    canary: bool
    environment: dict = field(default_factory=dict)
    variants: list = field(default_factory=lambda: [""])
    programs: list = field(default_factory=list)

    @property
    def driver(self):
        path = self.folder / "driver.py"
        return path if path.exists() else None

    @property
    def expected(self):
        path = self.folder / "expected"
        return path.read_bytes() if path.exists() else None

    @property
    def stdin(self):
        path = self.folder / "stdin"
        return path if path.exists() else None

    def runs_natively(self):
        """Whether the same thing means something on the bare host."""
        return "site" not in self.needs

    def missing(self):
        """The host's programs that it runs, as far as they are not installed."""
        return [name for name in self.programs if not shutil.which(name, path=places.HOST_PATH)]

    def oracle_here(self):
        """Whether a native run of this user on this host is right; where it is not, `expected` is the only oracle."""
        return "root" not in self.needs or os.geteuid() == 0


def load(folder):
    file = folder / "scenario.toml"
    with open(file, "rb") as stream:
        try:
            table = tomllib.load(stream)
        except tomllib.TOMLDecodeError as error:
            raise BadScenario(f"{file}: {error}")
    unknown = set(table) - KEYS
    if unknown:
        raise BadScenario(f"{file}: unknown key {sorted(unknown)[0]}; known: {', '.join(sorted(KEYS))}")
    if not table.get("about") or not isinstance(table.get("limit"), (int, float)):
        raise BadScenario(f"{file}: needs `about` (a sentence) and `limit` (seconds)")
    scenario = Scenario(
        name=folder.name, folder=folder, about=table["about"], limit=float(table["limit"]),
        command=table.get("command", [places.BUSYBOX, "sh", "script"]), status=table.get("status", 0),
        native=table.get("native", False), stderr=table.get("stderr", "class"), needs=table.get("needs", []),
        manifests=table.get("manifests", "each"), canary=table.get("canary", False),
        environment=table.get("environment", {}), variants=table.get("variants", [""]),
        programs=table.get("programs", []))
    if scenario.stderr not in ("class", "exact", "any"):
        raise BadScenario(f"{file}: stderr is {scenario.stderr!r}; known: class, exact, any")
    if scenario.manifests not in ("each", "none"):
        raise BadScenario(f"{file}: manifests is {scenario.manifests!r}; known: each, none")
    for need in scenario.needs:
        if need not in ("site", "root"):
            raise BadScenario(f"{file}: needs {need!r}; known: site (no native run), root (native run as root)")
    if "command" not in table and not scenario.driver and not (folder / "script").exists():
        raise BadScenario(f"{folder}: no script, no command, no driver.py")
    if scenario.expected is None and not scenario.native:
        raise BadScenario(f"{folder}: neither `expected` nor native = true: it could not fail")
    if scenario.native and (scenario.driver or not scenario.runs_natively()):
        raise BadScenario(f"{folder}: a driver, or what only a site can do, has no native run to compare with")
    if "root" in scenario.needs and scenario.expected is None:
        raise BadScenario(f"{folder}: what needs root natively must have `expected` for everybody else")
    return scenario


def load_all():
    return [load(folder) for folder in sorted(places.SCENARIOS.iterdir()) if (folder / "scenario.toml").exists()]
