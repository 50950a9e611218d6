"""How an agent behaves: rules and intervals, handed in by whoever builds it. Reads no environment."""

from dataclasses import dataclass, field

from devices.agent.safety import SafetyRules
from devices.agent.sampling import SamplingRules


@dataclass(frozen=True, slots=True)
class AgentSettings:
    """Settings of one agent. `_wall_s` are wall seconds, `_s` fleet seconds."""

    tick_wall_s: float = 1.0
    swap_tick_wall_s: float = 0.2
    authorize_wall_s: float = 3.0
    """Source: contract v1, ``up/authorize`` is answered within 3 s."""
    meter_interval_s: float = 300.0
    """Source: contract v1, ``up/meter`` every 5 min, aligned; divides 30 min so that :00 and :30 are among them."""
    door_left_open_s: float = 15.0
    """After this the agent closes a door itself, or says that it cannot. Guess."""
    unlock_tries: int = 2
    """Source: swap rules, a jammed door is tried twice."""
    fallback_limit_ac_w: float | None = None
    """Site limit while no schedule ever came; None: the connection's own limit."""
    safety: SafetyRules = field(default_factory=SafetyRules)
    sampling: SamplingRules = field(default_factory=SamplingRules)
