"""How much each slot may charge now: the schedule bound to serials, else the station's own sharing. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from devices.hardware.ports import PackSample, StationDescriptor
from devices.wire.commands import NeedReady, SetChargingProfile

LIFETIME = timedelta(hours=24)
"""Source: contract v1, SetChargingProfile: the last period lasts until ``startAt`` + 24 h."""

_EFFICIENCY_UNKNOWN = 0.9
"""DC out / AC in of a slot that names no charger group. Guess: a small converter at part load."""


@dataclass(frozen=True, slots=True)
class Charge:
    """A slot that may charge: its pack and its local ceiling [W DC]."""

    slot_no: int
    pack: PackSample
    ceiling_dc_w: float


def is_running(profile: SetChargingProfile | None, now: datetime, silence_s: float) -> bool:
    """Tell whether a schedule still holds; `silence_s` = how long nobody has listened to us [fleet s]."""
    if profile is None or silence_s > profile.max_offline_duration_s:
        return False
    return profile.start_at <= now < profile.start_at + LIFETIME


def charge_limits(
    charges: Sequence[Charge],
    station: StationDescriptor,
    profile: SetChargingProfile | None,
    now: datetime,
    silence_s: float,
    fallback_ac_w: float,
) -> dict[int, float]:
    """Return the limit of every slot in `charges` [W DC].

    A running schedule's rows come first, each only while its serial is in its slot. What the envelope has left goes to
    the other packs by least laxity towards ``needReady``: a walk-in during an outage never leaves an empty pack
    uncharged. Without a running schedule all packs share the fallback limit in the same way.

    Parameters
    ----------
    fallback_ac_w : safe local limit when no schedule ever came [W AC].
    """
    running = is_running(profile, now, silence_s)
    envelope = _Envelope(station, _site_limit_ac_w(station, profile, now, running, fallback_ac_w))
    limits = {charge.slot_no: 0.0 for charge in charges}
    free: list[Charge] = []
    rows = {row.evse_id: row for row in profile.rows} if running and profile is not None else {}
    for charge in charges:
        row = rows.get(charge.slot_no)
        if row is None or profile is None or row.serial_number != charge.pack.serial_number:
            free.append(charge)
            continue
        second = (now - profile.start_at).total_seconds()
        period = next(p for p in reversed(row.periods) if p.start_period <= second)
        if charge.pack.soc < period.target_soc_pct / 100:
            limits[charge.slot_no] = envelope.take(charge, min(period.limit_dc_w, charge.ceiling_dc_w))
    needs = profile.need_ready if profile is not None else []
    target = station.target_soc
    for charge in by_least_laxity([charge for charge in free if charge.pack.soc < target], needs, now):
        limits[charge.slot_no] = envelope.take(charge, charge.ceiling_dc_w)
    return limits


def _site_limit_ac_w(
    station: StationDescriptor, profile: SetChargingProfile | None, now: datetime, running: bool, fallback_ac_w: float
) -> float:
    if profile is None:
        return min(station.max_import_ac_w, fallback_ac_w)
    if not running:
        return min(station.max_import_ac_w, profile.fallback_limit_ac_w)
    second = (now - profile.start_at).total_seconds()
    periods = [period for period in profile.site.periods if period.start_period <= second]
    limit_w = max(periods, key=lambda period: period.start_period).site_limit_ac_w if periods else station.max_import_ac_w
    return min(station.max_import_ac_w, limit_w)


class _Envelope:
    """What is left of the site's and the charger groups' limits."""

    def __init__(self, station: StationDescriptor, site_limit_ac_w: float) -> None:
        self._site_ac_w = site_limit_ac_w
        self._groups_ac_w = {group.group_id: group.max_ac_w for group in station.charger_groups}
        self._efficiency = {group.group_id: group.efficiency for group in station.charger_groups}
        self._group_of = {slot.slot_no: slot.charger_group for slot in station.slots}

    def take(self, charge: Charge, wanted_dc_w: float) -> float:
        """Take up to `wanted_dc_w` for a slot; return what it gets [W DC]."""
        group = self._group_of.get(charge.slot_no)
        efficiency = _EFFICIENCY_UNKNOWN if group is None else self._efficiency.get(group, _EFFICIENCY_UNKNOWN)
        left_ac_w = self._site_ac_w
        if group is not None:
            left_ac_w = min(left_ac_w, self._groups_ac_w.get(group, left_ac_w))
        given_dc_w = max(0.0, min(wanted_dc_w, left_ac_w * efficiency))
        self._site_ac_w -= given_dc_w / efficiency
        if group in self._groups_ac_w:
            self._groups_ac_w[group] -= given_dc_w / efficiency
        return given_dc_w


def by_least_laxity(charges: Sequence[Charge], needs: Sequence[NeedReady], now: datetime) -> list[Charge]:
    """Return packs, the most urgent first.

    Laxity = time left - time to charge [s]. The fullest `count` packs of a model answer the earliest need, the next
    fullest the next. Who answers no need comes last, the fullest first (it is ready soonest).
    """
    laxity_s: dict[int, float] = {}
    for model in {need.pack_model_id for need in needs}:
        waiting = sorted((c for c in charges if c.pack.pack_model_id == model), key=lambda c: (-c.pack.soc, c.slot_no))
        for need in sorted((n for n in needs if n.pack_model_id == model), key=lambda n: n.by_at):
            for charge in waiting[: need.count]:
                missing_wh = max(0.0, need.min_usable_wh - charge.pack.soc * charge.pack.soh * charge.pack.nominal_wh)
                time_s = 3600.0 * missing_wh / max(charge.ceiling_dc_w, 1.0)
                slack_s = (need.by_at - now).total_seconds() - time_s
                laxity_s[charge.slot_no] = min(slack_s, laxity_s.get(charge.slot_no, slack_s))
    return sorted(charges, key=lambda c: (laxity_s.get(c.slot_no, float("inf")), -c.pack.soc, c.slot_no))
