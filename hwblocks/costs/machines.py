"""Which machine prices which kind of target."""

from __future__ import annotations

from typing import Any

from hwblocks.costs.fpga import FpgaMachine
from hwblocks.costs.machine import Machine
from hwblocks.costs.roofline import RooflineMachine
from hwblocks.costs.systolic_machine import SystolicMachine
from hwblocks.targets.fpga_kinds import Fpga
from hwblocks.targets.kinds import Roofline, Systolic, Target

MACHINES: dict[type[Target], type[Machine[Any]]] = {
    Roofline: RooflineMachine,
    Systolic: SystolicMachine,
    Fpga: FpgaMachine,
}


def machine(target: Target) -> Machine[Any]:
    """The formulas of a target's kind."""
    return MACHINES[type(target)](target)
