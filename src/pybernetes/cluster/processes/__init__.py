"""The processes of a cluster: each module gives the flags of its components and a `main` that runs them."""
