"""Upstream's own structures of a pod's volumes, as messages show them; rare sources are shown in their JSON form."""

from __future__ import annotations

from typing import Final

from pybernetes.api.validation.structures import Structures, structure

VOLUMES: Final[Structures] = {
    "Volume": structure("""
        Name:s HostPath>HostPath EmptyDir>EmptyDir GCEPersistentDisk=gcePersistentDisk>GCEPersistentDisk
        AWSElasticBlockStore=awsElasticBlockStore GitRepo Secret>Secret NFS=nfs>NFS ISCSI=iscsi Glusterfs
        PersistentVolumeClaim>Claim RBD=rbd Quobyte FlexVolume Cinder CephFS=cephfs Flocker
        DownwardAPI=downwardAPI>DownwardAPI FC=fc AzureFile ConfigMap>ConfigMap VsphereVolume AzureDisk
        PhotonPersistentDisk Projected>Projected PortworxVolume ScaleIO=scaleIO StorageOS=storageos CSI=csi>CSI Ephemeral
        Image>Image
    """),
    "HostPath": structure("Path:s Type"),
    "EmptyDir": structure("Medium:s SizeLimit"),
    "GCEPersistentDisk": structure("PDName=pdName:s FSType=fsType:s Partition:n ReadOnly:b"),
    "Secret": structure("SecretName:s Items>KeyToPath DefaultMode Optional"),
    "NFS": structure("Server:s Path:s ReadOnly:b"),
    "Claim": structure("ClaimName:s ReadOnly:b"),
    "DownwardAPI": structure("Items>DownwardFile DefaultMode"),
    "DownwardFile": structure("Path:s FieldRef>FieldRef ResourceFieldRef>ResourceFieldRef Mode"),
    "ConfigMap": structure("Name:s Items>KeyToPath DefaultMode Optional"),
    "KeyToPath": structure("Key:s Path:s Mode"),
    "Projected": structure("Sources>Projection DefaultMode"),
    "Projection": structure("""
        Secret>ProjectedName DownwardAPI=downwardAPI>ProjectedFiles ConfigMap>ProjectedName
        ServiceAccountToken>ProjectedToken ClusterTrustBundle PodCertificate
    """),
    "ProjectedName": structure("Name:s Items>KeyToPath Optional"),
    "ProjectedFiles": structure("Items>DownwardFile"),
    "ProjectedToken": structure("Audience:s ExpirationSeconds:n Path:s"),
    "CSI": structure("Driver:s ReadOnly FSType=fsType VolumeAttributes NodePublishSecretRef>Named"),
    "Image": structure("Reference:s PullPolicy:s"),
}
