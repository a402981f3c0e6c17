"""The reverse proxy: HTTP/1.1 in and out, bodies passed on piece by piece as they come.

Owns: the clients' connections (front.py), those to backends (upstream.py, pool.py), what is between (exchange.py).
Receives from: whoever knocks on the ports; decisions from decide.py, certificates from certificates.py.
Sends to: pods.
Never: holds more of a body than the kernel hands over at once, or sends a request twice that may have had its effect.
"""
