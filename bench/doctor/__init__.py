"""Checks whether this host is fit for measuring. Each check reports a finding and, if needed, a fix."""
