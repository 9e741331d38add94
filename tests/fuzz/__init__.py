"""Fuzzing of everything that reads what others write: files, boxes, guests, daemons, tools, images.

Each module has the readers of one kind of input (``reader.Reader``): valid inputs, a way to damage them, and a check.
An input is either accepted, and then it survives being written and read again, or refused with one of our own errors.
Any other exception, a hang or a large use of memory is a finding.

``test_fuzz.py`` is the short slice that runs with the other tests. ``nox -s fuzz -- --inputs 1000000`` is the long run.
"""
