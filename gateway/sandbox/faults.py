"""How a test makes ChatKitty fail: rules that requests are compared with, in their order."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Final

_CUTS: Final = ("before", "after")
_FAULTS: Final = {"status", "headers", "body", "delay", "cut", "cut_body_at", "read_rate"}
_RULES: Final = {"method", "path", "times", "after", "fault"}


class InvalidRule(ValueError):
    """A rule that cannot be understood."""


@dataclass(frozen=True, slots=True)
class FaultRule:
    """What goes wrong: any of it, or nothing.

    `status` with `headers` and `body` is answered without acting, a success after the request's
    body and a refusal before it; `delay` (seconds) comes first;
    `cut` closes the connection before acting or after it; `cut_body_at` (bytes) stops reading
    there and closes; `read_rate` is in bytes per second.
    """

    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | None = None
    delay: float = 0.0
    cut: str | None = None
    cut_body_at: int | None = None
    read_rate: int | None = None


NO_FAULT: Final = FaultRule()


@dataclass(slots=True)
class Rule:
    """A fault for the requests of a method (`*`: any) and a path (a glob).

    It lets `after` of them pass, then applies `times` times, or for ever if that is None.
    """

    method: str
    path: str
    times: int | None
    after: int
    fault: FaultRule

    @classmethod
    def parse(cls, rule: Any) -> "Rule":  # noqa: ANN401 - any JSON
        """The rule of a JSON object. Raises InvalidRule."""
        if (
            not isinstance(rule, dict)
            or set(rule) - _RULES
            or not isinstance(rule.get("path"), str)
        ):
            raise InvalidRule(f"a rule has a path, and only: {sorted(_RULES)}")
        fault = rule.get("fault")
        if not isinstance(fault, dict) or not fault or set(fault) - _FAULTS:
            raise InvalidRule(f"a fault has some of: {sorted(_FAULTS)}")
        if fault.get("cut", "before") not in _CUTS:
            raise InvalidRule(f"a cut is one of: {_CUTS}")
        if isinstance(body := fault.get("body"), dict | list):
            fault = fault | {"body": json.dumps(body)}
        return cls(
            method=str(rule.get("method", "*")).upper(),
            path=rule["path"],
            times=rule.get("times", 1),
            after=int(rule.get("after", 0)),
            fault=FaultRule(**fault),
        )

    def strikes(self, method: str, path: str) -> bool:
        """Whether the request meets the fault; counts it where it matches."""
        if self.method not in ("*", method) or not fnmatchcase(path, self.path) or self.times == 0:
            return False
        if self.after > 0:
            self.after -= 1
            return False
        if self.times is not None:
            self.times -= 1
        return True

    def shown(self) -> dict[str, object]:
        """The rule as JSON members, with what is left of it."""
        fault = {
            name: value
            for name in sorted(_FAULTS)
            if (value := getattr(self.fault, name)) != getattr(NO_FAULT, name)
        }
        return {
            "method": self.method,
            "path": self.path,
            "times": self.times,
            "after": self.after,
            "fault": fault,
        }


@dataclass(slots=True)
class Faults:
    """The rules in force."""

    rules: list[Rule] = field(default_factory=list)

    def for_request(self, method: str, path: str) -> FaultRule:
        """The fault of the first rule that applies."""
        for rule in self.rules:
            if rule.strikes(method, path):
                return rule.fault
        return NO_FAULT
