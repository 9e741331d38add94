"""A small WSGI application: it routes, parses a query, computes a little and answers JSON, as web applications do."""

import hashlib
import json
from urllib.parse import parse_qs


def application(environ, start_response):
    """Answer /hello, /digest?text=...&rounds=N, and 404."""
    query = parse_qs(environ.get("QUERY_STRING", ""))
    if environ["PATH_INFO"] == "/hello":
        answer = {"text": "served from the box"}
    elif environ["PATH_INFO"] == "/digest":
        data = query.get("text", [""])[0].encode()
        for _ in range(min(int(query.get("rounds", ["100"])[0]), 10_000)):
            data = hashlib.sha256(data).digest()
        answer = {"digest": data.hex()}
    else:
        start_response("404 Not Found", [("Content-Type", "text/plain"), ("Content-Length", "0")])
        return [b""]
    body = json.dumps(answer).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
