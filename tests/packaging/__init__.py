"""The packages where users install them: too slow for CI, so ``nox -s packages`` and ``nox -s debian`` run them."""
