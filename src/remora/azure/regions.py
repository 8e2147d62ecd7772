"""Regions that offer serverless GPUs to Container Apps, as of November 2026.

The list only helps to choose: what a region offers is asked before anything is deployed. Source:
https://learn.microsoft.com/azure/container-apps/gpu-serverless-overview#supported-regions
"""

from __future__ import annotations

_BOTH = (
    "australiaeast",
    "brazilsouth",
    "canadacentral",
    "eastus",
    "italynorth",
    "swedencentral",
    "westus",
    "westus3",
)
_T4_ALONE = (
    "centralindia",
    "francecentral",
    "japaneast",
    "northcentralus",
    "southcentralus",
    "southeastasia",
    "southindia",
    "westeurope",
    "westus2",
)
GPUS = dict.fromkeys(_BOTH, "T4 and A100") | dict.fromkeys(_T4_ALONE, "T4")
