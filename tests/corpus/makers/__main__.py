"""Makes the files of the corpus that encoders make: `python makers OUT TOOLS`."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import archives
import fonts
import media
import office
import pictures
import texts


def main(out: Path, tools: Path) -> None:
    """Write each family's files into a folder of its own below `out`.

    `tools` holds the programs of Debian's packages, as they are unpacked.
    """
    families = {
        "media": media.make,
        "pictures": pictures.make,
        "office": office.make,
        "archives": lambda folder: archives.make(folder, tools),
        "fonts": fonts.make,
        "texts": texts.make,
    }
    with ThreadPoolExecutor(2) as pool:
        made = []
        for name, make in families.items():
            folder = out / name
            folder.mkdir(parents=True)
            made.append(pool.submit(make, folder))
        for one in made:
            one.result()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
