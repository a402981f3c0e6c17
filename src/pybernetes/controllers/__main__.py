"""`python -m pybernetes.controllers`: the controller manager as a process of its own."""

import sys

from pybernetes.controllers.main import main

sys.exit(main())
