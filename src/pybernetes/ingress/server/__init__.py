"""The reverse proxy: HTTP/1.1 and HTTP/2 in and out, bodies passed on piece by piece as they come.

Owns: clients' connections (front.py, request_reader.py; http2.py, stream.py), those to backends (upstream.py;
upstream2.py; pool.py), what both kinds of clients do with a request (side.py), and what is between (exchange.py).
Receives from: whoever knocks on the ports; decisions from decide.py, certificates from certificates.py.
Sends to: pods.
Never: holds more of a body than the kernel hands over at once, or sends a request twice that may have had its effect.
"""
