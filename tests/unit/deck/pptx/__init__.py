"""Tests of PowerPoint files. They are opened by python-pptx, and their XML is compared with that of XlsxWriter."""
