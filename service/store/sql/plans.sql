-- Plans as they were made; never changed afterwards.

-- name: add_plan!
INSERT INTO plan (plan_id, made_at, start_at, step_s, step_count, station_count, engine, coupled_by, objective_jpy, bound_jpy, gap,
                  shortfall_wh, truncated, solve_s, price_source, supply_source, fleet_ac_w, price_jpy_per_kwh, renewable_w)
VALUES (:plan_id, :made_at, :start_at, :step_s, :step_count, :station_count, :engine, :coupled_by, :objective_jpy, :bound_jpy, :gap,
        :shortfall_wh, :truncated, :solve_s, :price_source, :supply_source, :fleet_ac_w, :price_jpy_per_kwh, :renewable_w);

-- name: add_plan_station*!
INSERT INTO plan_station (plan_id, station_id, energy_ac_wh, shortfall_wh, reason)
VALUES (:plan_id, :station_id, :energy_ac_wh, :shortfall_wh, :reason);

-- name: plan_made!
SELECT pg_notify('plan_made', '');

-- name: newest_plan_id$
SELECT plan_id FROM plan ORDER BY made_at DESC, plan_id DESC LIMIT 1;

-- name: plan_row^
SELECT plan_id, made_at, start_at, step_s, step_count, engine, coupled_by, objective_jpy, bound_jpy, gap,
       shortfall_wh, truncated, solve_s, price_source, supply_source, fleet_ac_w, price_jpy_per_kwh, renewable_w
FROM plan WHERE plan_id = :plan_id;

-- name: plan_stations
SELECT station_id, energy_ac_wh, shortfall_wh, reason FROM plan_station WHERE plan_id = :plan_id ORDER BY station_id;
