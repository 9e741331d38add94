"""Tests of campaigns for which no box runs."""
