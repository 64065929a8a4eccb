-- One row a commune code of :from_year, from INSEE's events. `macros.py` says what it answers, and fills in the names.
--
-- Land is followed from the first event on. Where a merged commune is one again under its old code (21), its land goes
-- back to it and no other land does. Where the events do not say which land goes where, it goes to all.
-- A step is twice the days since 1900: what becomes of a code that came about on a day can follow on the same day.
WITH RECURSIVE movement AS (
    SELECT
        MOD::INTEGER AS mod, DATE_EFF::DATE AS day, 2 * (DATE_EFF::DATE - DATE '1900-01-01') AS step,
        TYPECOM_AV AS kind, COM_AV AS code, TYPECOM_AP AS next_kind, COM_AP AS next_code
    FROM $events
),
known AS (
    SELECT date_part('year', min(day)) AS first, date_part('year', max(day) - 1) + 1 AS last FROM movement
),
asked AS (  -- the last step of 1 January of both years
    SELECT
        2 * (make_date(:from_year, 1, 1) - DATE '1900-01-01') + 1 AS from_step,
        2 * (make_date(:to_year, 1, 1) - DATE '1900-01-01') + 1 AS to_step
    FROM known
    WHERE CASE
        WHEN :from_year BETWEEN first AND last AND :to_year BETWEEN first AND last THEN true
        ELSE error(format(
            'from :from_year to :to_year: expected years from {} to {}; of these {} tells the communes of 1 January',
            first, last, $name
        ))
    END
),
communal AS (  -- communes, and the arrondissements of Paris, Lyon and Marseille; what begins or ends has a NULL
    SELECT mod, step, code, next_code
    FROM movement
    WHERE coalesce(kind, next_kind) IN ('COM', 'ARM') AND coalesce(next_kind, kind) = coalesce(kind, next_kind)
    UNION ALL
    SELECT mod, step, NULL, next_code FROM movement WHERE kind = 'COM' AND next_kind = 'ARM'  -- Marseille goes on
),
change AS (  -- 41, another département: the commune has its new code before it merges there on the same day
    SELECT
        mod, code, next_code,
        step + (mod <> 41 AND EXISTS (
            FROM communal AS came WHERE came.mod = 41 AND came.next_code = communal.code AND came.step = communal.step
        ))::INTEGER AS step
    FROM communal
),
kept AS (  -- a commune that goes on as an associated or delegated one
    SELECT DISTINCT code, step FROM movement WHERE kind = 'COM' AND next_kind IN ('COMA', 'COMD') AND code = next_code
),
adrift AS (  -- an associated commune that follows one of the communes that part, and it is not said which
    SELECT DISTINCT code, next_code, step
    FROM movement
    WHERE mod = 21 AND kind = 'COM' AND next_kind IN ('COMA', 'COMD')
),
freed AS (  -- an associated or delegated commune that is a commune again
    SELECT DISTINCT code, step
    FROM movement
    WHERE mod = 21 AND kind IN ('COMA', 'COMD') AND next_kind = 'COM' AND code = next_code
),
ended AS (  -- not by a mere change of its code (41, 50)
    SELECT code, step
    FROM change
    WHERE code IS NOT NULL
    GROUP BY ALL
    HAVING bool_and(next_code IS DISTINCT FROM code AND mod NOT IN (41, 50))
),
entered AS (  -- became part of another commune, within bounds that may come back
    SELECT code, next_code, step FROM change SEMI JOIN (FROM kept UNION FROM ended) USING (code, step)
),
move AS (  -- restored: exactly the land of a former commune, which is one again under its old code
    SELECT
        code, next_code, step,
        bool_or(mod = 21
            AND EXISTS (
                FROM entered
                WHERE entered.code = change.next_code AND entered.next_code = change.code AND entered.step < change.step
            )
            AND (
                EXISTS (FROM freed WHERE freed.code = change.next_code AND freed.step = change.step)
                OR code <> next_code AND NOT (
                    SELECT arg_max((entered.code, entered.step) IN (FROM kept), entered.step)
                    FROM entered
                    WHERE entered.code = change.next_code AND entered.step < change.step
                )
            )
        ) AS restored
    FROM change
    GROUP BY ALL
),
leg AS MATERIALIZED (  -- remembered: the land of `code` may have a way of its own later
    SELECT
        code, next_code, step, restored,
        (SELECT min(n.step) FROM move AS n WHERE n.code = move.next_code AND n.step > move.step) AS until,
        list(next_code) FILTER (restored) OVER same AS all_restored, bool_and(restored) OVER same AS nothing_left,
        (SELECT list(a.next_code) FROM adrift AS a WHERE a.code = move.code AND a.step = move.step) AS all_adrift,
        EXISTS (FROM entered WHERE entered.code = move.code AND entered.step = move.step) AND EXISTS (
            FROM (FROM change WHERE mod = 21 UNION ALL BY NAME FROM adrift) AS later
            WHERE later.next_code = move.code AND later.step > move.step
        ) AS remembered
    FROM move
    WINDOW same AS (PARTITION BY code, step)
),
beginning AS (
    SELECT next_code AS code, step, until FROM leg WHERE code IS NULL
    UNION ALL
    SELECT code, NULL, min(step)
    FROM leg
    WHERE code IS NOT NULL
    GROUP BY code
    HAVING NOT EXISTS (
        FROM leg AS origin
        WHERE origin.next_code = leg.code
            AND (origin.step < min(leg.step) OR origin.step = min(leg.step) AND origin.code IS NULL)
    )
),
land AS (  -- its commune, until which step, the former communes it is in (inmost first), its commune in both years
    SELECT
        code, until, []::VARCHAR[] AS former,
        CASE WHEN coalesce(step <= from_step, true) AND coalesce(until > from_step, true) THEN code END AS from_code,
        CASE WHEN coalesce(step <= to_step, true) AND coalesce(until > to_step, true) THEN code END AS to_code
    FROM beginning, asked
    UNION
    SELECT
        next_code, next_until,
        CASE
            WHEN home IS NOT NULL THEN former[:list_position(former, home) - 1]
            WHEN remembered THEN list_append(former, code)
            ELSE former
        END,
        CASE WHEN step <= from_step AND coalesce(next_until > from_step, true) THEN next_code ELSE from_code END,
        CASE WHEN step <= to_step AND coalesce(next_until > to_step, true) THEN next_code ELSE to_code END
    FROM (
        SELECT
            land.*, leg.* EXCLUDE (code, until), leg.until AS next_until,
            coalesce(list_has_any(former, all_adrift), false) AS lost,
            CASE WHEN NOT lost THEN list_filter(former, lambda name: list_contains(all_restored, name))[1] END AS home
        FROM land JOIN leg ON leg.code = land.code AND leg.step = land.until
    ), asked
    WHERE step <= greatest(from_step, to_step) AND CASE
        WHEN lost THEN true
        WHEN restored THEN coalesce(next_code = home, nothing_left)
        ELSE home IS NULL OR code <> next_code AND list_contains(former, next_code)
    END
),
pair AS (
    SELECT DISTINCT from_code, to_code FROM land, asked WHERE coalesce(until > greatest(from_step, to_step), true)
),
fate AS (
    SELECT from_code, count(*) AS places, list(to_code ORDER BY to_code) AS candidates FROM pair GROUP BY from_code
),
origin AS (
    SELECT to_code, count(*) AS origins, bool_and(pair.from_code IS NOT NULL AND places = 1) AS undivided
    FROM pair JOIN fate ON fate.from_code IS NOT DISTINCT FROM pair.from_code
    GROUP BY to_code
)
SELECT
    from_code AS code,
    CASE WHEN places = 1 THEN candidates[1] END AS to_code,
    CASE
        WHEN places > 1 THEN 'split'
        WHEN to_code IS NULL THEN 'outside'
        WHEN origins > 1 THEN if(undivided, 'merged', 'incomplete')
        ELSE if(from_code = to_code, 'same', 'moved')
    END AS state,
    list_filter(candidates, lambda name: name IS NOT NULL) AS candidates
FROM fate LEFT JOIN origin ON to_code = candidates[1]
WHERE from_code IS NOT NULL
UNION ALL
SELECT code, code, 'same', [code]
FROM $communes AS listed ANTI JOIN (SELECT code FROM leg UNION SELECT next_code FROM leg) AS touched USING (code)
