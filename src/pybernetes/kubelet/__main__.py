"""`python -m pybernetes.kubelet`."""

import sys

from pybernetes.kubelet.main import main

sys.exit(main())
