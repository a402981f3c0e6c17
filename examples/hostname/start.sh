#!/bin/sh
# Flask in the background, then the command that was given (nginx) in the place of this script, so that it gets the
# signals. The readiness probe keeps traffic away until both answer.
set -e
venv/bin/python app.py &
exec "$@"
