"""One thread for every test: tiny networks are nine times slower on two."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
