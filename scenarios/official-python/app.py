"""A small WSGI application: it answers /health and nothing else."""


def application(environ, start_response):
    """Answer 200 for /health, 404 for everything else."""
    found = environ["PATH_INFO"] == "/health"
    body = b"ok\n" if found else b"not found\n"
    status = "200 OK" if found else "404 Not Found"
    start_response(status, [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
