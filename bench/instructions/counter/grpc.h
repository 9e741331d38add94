#pragma once

/* containerd's API: gRPC over HTTP/2, as much of it as four calls need. */

/* Makes the calls, one after another on one connection; a refused call is fatal. Each is two files: FILE.head is its
 * header block and FILE its message. The answer to a FILE with `snapshot` in its name, the mounts, is appended to the
 * message of a FILE with `task` in its name. */
void grpc_calls(const char *socket_path, char **files);
