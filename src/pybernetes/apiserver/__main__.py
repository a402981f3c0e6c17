"""`python -m pybernetes.apiserver`."""

import sys

from pybernetes.apiserver.main import main

sys.exit(main())
