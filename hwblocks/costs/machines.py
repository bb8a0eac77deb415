"""Which machine prices which kind of target."""

from __future__ import annotations

from typing import Any

from hwblocks.costs.atom_machine import AtomMachine
from hwblocks.costs.dataflow import DataflowMachine
from hwblocks.costs.fpga import FpgaMachine
from hwblocks.costs.machine import Machine
from hwblocks.costs.microcontroller import MicrocontrollerMachine
from hwblocks.costs.npu_tile import NpuTileMachine
from hwblocks.costs.roofline import RooflineMachine
from hwblocks.costs.systolic_machine import SystolicMachine
from hwblocks.targets.fpga_kinds import Dataflow, Fpga
from hwblocks.targets.kinds import AtomTarget, Roofline, Systolic, Target
from hwblocks.targets.processors import Microcontroller, NpuTile

MACHINES: dict[type[Target], type[Machine[Any]]] = {
    Roofline: RooflineMachine,
    Systolic: SystolicMachine,
    NpuTile: NpuTileMachine,
    Microcontroller: MicrocontrollerMachine,
    AtomTarget: AtomMachine,
    Fpga: FpgaMachine,
    Dataflow: DataflowMachine,
}


def machine(target: Target) -> Machine[Any]:
    """The formulas of a target's kind."""
    return MACHINES[type(target)](target)
