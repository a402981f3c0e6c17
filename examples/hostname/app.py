"""Says which pod answers: its host name and its address."""

import socket

from flask import Flask

app = Flask(__name__)


@app.route("/")
def who() -> str:
    name = socket.gethostname()
    return f"<p>Hostname: {name}</p><p>IPv4 Address: {address()}</p>\n"


def address() -> str:
    """The address that packets to others carry; nothing is sent to find out."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        return str(probe.getsockname()[0])


if __name__ == "__main__":
    app.run(host="127.0.0.1", port=5000)
