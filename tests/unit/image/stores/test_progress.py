"""The progress that buildx prints."""

from __future__ import annotations

from bench.image.stores.progress import TAIL_LINES, Progress

GOOD = """\
#0 building with "default" instance using docker driver

#1 [internal] load build definition from Dockerfile
#1 transferring dockerfile: 368B done
#1 DONE 0.1s

#2 resolve image config for docker-image://example/docker/dockerfile:1
#2 DONE 0.2s

#3 docker-image://example/docker/dockerfile:1@sha256:{digest}
#3 sha256:ab 10.49MB / 12.1MB 0.4s
#3 CACHED

#4 [internal] load build context
#4 transferring context: 2.35MB 0.1s done
#4 DONE 0.1s

#8 [stage-1 2/5] RUN echo hi
#8 0.120 hi
#8 ...

#9 [tools 1/1] FROM example/base
#9 CACHED

#8 [stage-1 2/5] RUN echo hi
#8 0.124 #9 ERROR: not true
#8 12.5 ERROR: neither
#8 DONE 0.2s

#12 exporting to image
#12 writing image sha256:f67b done
#12 DONE 0.1s
"""
BAD = """\
#9 [stage-1 3/5] RUN ["/bin/busybox", "false"]
#9 0.101 no, sorry
#9 ERROR: process "/bin/busybox false" did not complete successfully: exit code: 1

#10 [other 1/1] RUN sleep 9
#10 CANCELED
------
 > [stage-1 3/5] RUN ["/bin/busybox", "false"]:
0.101 no, sorry
0.102 looks/like:7
------
Dockerfile.bad:5
--------------------
   4 |     RUN ["/bin/busybox", "sh", "-c", "echo hi"]
   5 | >>> RUN ["/bin/busybox", "false"]
--------------------
ERROR: failed to solve: process "/bin/busybox false" did not complete successfully: exit code: 1
"""
NO_FRONTEND = """\
#2 resolve image config for docker-image://example/docker/dockerfile:1
#2 ERROR: failed to do request: no such host
------
 > resolve image config for docker-image://example/docker/dockerfile:1:
------
Dockerfile:1
--------------------
   1 | >>> # syntax=docker/dockerfile:1
--------------------
ERROR: failed to solve: failed to resolve source metadata for example/docker/dockerfile:1: no such host
"""


def read(text: str) -> tuple[Progress, list[str]]:
    told: list[str] = []
    progress = Progress(told.append)
    for line in text.splitlines():
        progress.read(line)
    return progress, told


def test_steps_output_and_sizes_are_told_once() -> None:
    digest = "a" * 64
    progress, told = read(GOOD.replace("{digest}", digest))
    frontend = f"docker-image://example/docker/dockerfile:1@sha256:{digest}"
    assert all(line.startswith("  ") for line in told)
    assert [line[2:] for line in told] == [
        "[internal] load build definition from Dockerfile: transferring dockerfile: 368B done",
        "resolve image config for docker-image://example/docker/dockerfile:1",
        frontend,
        f"{frontend}: sha256:ab 10.49MB / 12.1MB 0.4s",
        f"{frontend}: as before, from the builder's cache",
        "[internal] load build context: transferring context: 2.35MB 0.1s done",
        "[stage-1 2/5] RUN echo hi",
        "hi",
        "[tools 1/1] FROM example/base",
        "[tools 1/1] FROM example/base: as before, from the builder's cache",
        "#9 ERROR: not true",
        "ERROR: neither",
        "exporting to image",
    ]
    assert progress.frontend == frontend.removeprefix("docker-image://")
    assert (progress.error, progress.where, progress.lacks_frontend) == ("", "", False)


def test_a_failure_has_its_step_its_line_and_what_was_printed() -> None:
    progress, _ = read(BAD)
    assert progress.error == 'process "/bin/busybox false" did not complete successfully: exit code: 1'
    assert progress.where == """'[stage-1 3/5] RUN ["/bin/busybox", "false"]' (Dockerfile.bad:5)"""
    assert list(progress.lines) == ["no, sorry"]
    assert not progress.lacks_frontend


def test_a_syntax_image_that_cannot_be_had() -> None:
    progress, _ = read(NO_FRONTEND)
    assert progress.lacks_frontend
    assert "no such host" in progress.error


def test_only_the_end_of_the_output_is_kept() -> None:
    progress, told = read("#1 [1/1] RUN x\n" + "".join(f"#1 0.{n:03} {n}\n" for n in range(500)))
    assert list(progress.lines) == [str(n) for n in range(500 - TAIL_LINES, 500)]
    assert len(told) == 501


def test_an_error_before_any_step() -> None:
    progress, _ = read("ERROR: failed to solve: target stage `x` could not be found\nmore words\n")
    assert (progress.error, progress.where) == ("target stage `x` could not be found more words", "")
