"""For every test: one thread, since tiny networks are nine times slower on two; and the same examples each time.

`pytest --hypothesis-profile default` looks for new ones.
"""

import os

from hypothesis import settings

os.environ.setdefault("OMP_NUM_THREADS", "1")
settings.register_profile("same", derandomize=True)
settings.load_profile("same")
