"""What a network costs: operations, bytes and energy, from a description alone (lesson 09).

Counts (parameters, bytes stored, MACs, operations) are exact and checked against other
tools; traffic, energy and time bounds are modelled, from constants with sources and
ranges, and say so. Nothing here is timed.
"""

from tinyternary.cost.amounts import Range
from tinyternary.cost.analyze import BASELINES, analyze, gaussian_zero_share
from tinyternary.cost.claims import Claim, bitmedvit_parameters, claims
from tinyternary.cost.compare import Comparison, compare
from tinyternary.cost.device import Device, device, devices, least_kernel_seconds, load_device
from tinyternary.cost.energy import EnergyTable, energy_table, load_energy_table
from tinyternary.cost.evaluate import StepCost
from tinyternary.cost.memory import Blocking, Gemm, Traffic, choose_blocking, traffic
from tinyternary.cost.report import CostReport
from tinyternary.cost.sensitivity import Swing, sensitivity, zero_share_energy

__all__ = [
    "BASELINES",
    "Blocking",
    "Claim",
    "Comparison",
    "CostReport",
    "Device",
    "EnergyTable",
    "Gemm",
    "Range",
    "StepCost",
    "Swing",
    "Traffic",
    "analyze",
    "bitmedvit_parameters",
    "choose_blocking",
    "claims",
    "compare",
    "device",
    "devices",
    "energy_table",
    "gaussian_zero_share",
    "least_kernel_seconds",
    "load_device",
    "load_energy_table",
    "sensitivity",
    "traffic",
    "zero_share_energy",
]
