"""What a network costs: operations, bytes and energy, from a description alone (lesson 09).

Counts (parameters, bytes stored, MACs, operations) are exact and checked against other
tools; traffic, energy and time bounds are modelled, from constants with sources and
ranges, and say so. Nothing here is timed.
"""

from tinyternary.cost.amounts import Range
from tinyternary.cost.analyze import BASELINES, analyze, gaussian_zero_share
from tinyternary.cost.device import Device, device, devices, load_device
from tinyternary.cost.energy import EnergyTable, energy_table, load_energy_table
from tinyternary.cost.evaluate import StepCost
from tinyternary.cost.memory import Blocking, Gemm, Traffic, choose_blocking, traffic
from tinyternary.cost.report import CostReport

__all__ = [
    "BASELINES",
    "Blocking",
    "CostReport",
    "Device",
    "EnergyTable",
    "Gemm",
    "Range",
    "StepCost",
    "Traffic",
    "analyze",
    "choose_blocking",
    "device",
    "devices",
    "energy_table",
    "gaussian_zero_share",
    "load_device",
    "load_energy_table",
    "traffic",
]
