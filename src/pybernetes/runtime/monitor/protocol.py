"""The control socket (SOCK_SEQPACKET) of a monitor: one message is a letter and its payload.

To the monitor: attach, stdin bytes, end of stdin, resize (rows, columns), ping, reopen the log.
From it: stdout bytes, stderr bytes, the answer to ping and reopen (empty, or what went wrong). It closes the
connection when the container has ended and its exit record is on disk.
"""

import struct

ATTACH, STDIN, STDIN_END, RESIZE, PING, REOPEN = b"a", b"i", b"e", b"w", b"p", b"r"
STDOUT, STDERR, ANSWER = b"1", b"2", b"A"
SOCKET = "monitor.sock"
PROCESS, TERMINAL = "process", "terminal"
"""What is kept of a container beside its streams, by the runtime and its monitor."""
STARTED, EXITED = "started.json", "exit.json"
SIZE = struct.Struct("!HH")
MAX_MESSAGE = 65536
