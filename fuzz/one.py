"""One target under libFuzzer, whose options follow its name."""

import sys

import atheris

with atheris.instrument_imports(include=["gateway.multipart", "gateway.uploads", "workers"]):
    from fuzz.targets import TARGETS


def main() -> None:
    """Run the target by libFuzzer's rules; libFuzzer ends the process."""
    name, *options = sys.argv[1:]
    atheris.Setup([sys.argv[0], *options], TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
