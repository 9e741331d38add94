"""Ends with 0 when the application answers."""

import sys
from urllib.request import urlopen

try:
    with urlopen("http://127.0.0.1:8606/health", timeout=3) as answer:
        sys.exit(answer.status != 200)
except OSError as error:
    sys.exit(str(error))
