"""Which machine prices which kind of target."""

from __future__ import annotations

from typing import Any

from hwblocks.costs.machine import Machine
from hwblocks.costs.machines.atom_machine import AtomMachine
from hwblocks.costs.machines.dataflow import DataflowMachine
from hwblocks.costs.machines.fpga import FpgaMachine
from hwblocks.costs.machines.microcontroller import MicrocontrollerMachine
from hwblocks.costs.machines.npu_tile import NpuTileMachine
from hwblocks.costs.machines.roofline import RooflineMachine
from hwblocks.costs.machines.systolic_machine import SystolicMachine
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
