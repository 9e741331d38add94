"""Tests of bench.compose."""
