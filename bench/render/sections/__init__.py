"""The sections of a campaign's report: from an analysis to tables and sentences of clean text."""
