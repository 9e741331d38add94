"""A deck as a PowerPoint file, by python-pptx: pictures to show, and native charts of the same numbers to edit."""
