"""``python -m corruptlab``, and the ``corruptlab`` command."""

import sys

from corruptlab._cli import main

__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(main())
