"""The backend for more than one machine: etcd 3.4 and later, over its v3 gRPC API."""

from pybernetes.store.etcd.backend import EtcdBackend, open_store

__all__ = ["EtcdBackend", "open_store"]
