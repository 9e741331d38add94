"""Invocations over time: readers of published trace formats, and generators."""
