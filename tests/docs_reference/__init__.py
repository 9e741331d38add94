"""The generated pages of docs/reference, made from what the program itself knows.

Run as ``python -m tests.docs_reference`` to write them again. With ``--check`` it writes nothing, and ends with 1 if a
page is not current. A unit test does the same.
"""
