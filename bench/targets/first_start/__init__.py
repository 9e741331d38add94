"""Boxes whose image comes to the host after their request: the first start on a fresh host, ``cache=absent``."""
