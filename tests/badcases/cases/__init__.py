"""What users run into: the objects of each case, and what `p8s why` has to say about one of them.

`what` is a pattern of the cause, `seen` of the cluster's own words beneath it (upstream's), `next` of a next step.
Each case has a namespace of its own, called as the case.
"""

from tests.badcases.cases.case import Case as Case
from tests.badcases.cases.configuration import CONFIGURATION
from tests.badcases.cases.containers import CONTAINERS
from tests.badcases.cases.controllers import CONTROLLERS
from tests.badcases.cases.images import IMAGES
from tests.badcases.cases.network import NETWORK
from tests.badcases.cases.scheduling import SCHEDULING
from tests.badcases.cases.storage import STORAGE
from tests.badcases.cases.stuck import STUCK

CASES = (*IMAGES, *SCHEDULING, *STORAGE, *CONFIGURATION, *CONTAINERS, *CONTROLLERS, *NETWORK, *STUCK)
