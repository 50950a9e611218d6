-- Signals become one family: any area or station, any period, every series that importers and the API know.
ALTER TABLE signal RENAME COLUMN area TO place;
ALTER TABLE signal ADD COLUMN place_kind text NOT NULL DEFAULT 'area' CHECK (place_kind IN ('area', 'station'));
ALTER TABLE signal ALTER COLUMN place_kind DROP DEFAULT;
ALTER TABLE signal DROP CONSTRAINT signal_series_check;
-- The made-up sun was that of a plant of 1 MW; it is an area's now, and made anew.
DELETE FROM signal WHERE series = 'pv_w';
ALTER TABLE signal ADD CONSTRAINT signal_series_check CHECK (series IN (
    'price_jpy_per_kwh',
    'demand_w', 'demand_forecast_w', 'supply_capacity_w',
    'solar_w', 'wind_w', 'nuclear_w', 'thermal_w', 'thermal_lng_w', 'thermal_coal_w', 'thermal_oil_w', 'thermal_other_w',
    'hydro_w', 'geothermal_w', 'biomass_w', 'pumped_w', 'battery_w', 'interconnect_w', 'other_w',
    'solar_curtailed_w', 'wind_curtailed_w',
    'emission_g_per_kwh', 'marginal_emission_g_per_kwh',
    'own_pv_w', 'import_limit_w', 'demand_response_limit_w'));
ALTER TABLE signal ADD CONSTRAINT signal_value_check CHECK (value = value AND value > '-Infinity'
    AND (value < 'Infinity' OR series IN ('import_limit_w', 'demand_response_limit_w')));
ALTER TABLE signal DROP CONSTRAINT signal_pkey;
-- A correction has a later known_at; two sources that knew at the same instant both stand, and the reader chooses.
ALTER TABLE signal ADD PRIMARY KEY (series, place_kind, place, start_at, period_s, known_at, source);

ALTER TABLE plan ADD COLUMN supply_source text NOT NULL DEFAULT '';
COMMENT ON COLUMN plan.supply_source IS 'who says how much sun and wind there will be; ''synthetic'' is shown wherever it is drawn';

-- For the console: the site meters of an hour of the whole fleet, and the swaps that ended against the rules.
CREATE INDEX meter_register_site_by_time ON meter_register (ts) WHERE point = 'site';
CREATE INDEX swap_exceptions ON swap (created_at) WHERE status = 'exception';
