"""The figures of bench/README.md, measured on this machine: `make bench`. A benchmark, never a timed test."""
