"""`python -m affuse` is `affuse`."""

import sys

from affuse.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
