"""`python -m pybernetes.runtime`."""

import sys

from pybernetes.runtime.main import main

sys.exit(main(sys.argv[1:]))
