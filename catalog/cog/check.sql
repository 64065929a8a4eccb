-- The communes in which the sums of a column, moved, are not those of another table.
SELECT
    code, converted, expected,
    code IS NULL OR code IN (SELECT unnest(candidates) FROM cog_crosswalk(:from_year, :to_year) WHERE state = 'split')
        AS unsure
FROM (SELECT :column AS code, sum(:value) AS converted FROM (:converted) AS cog_row GROUP BY ALL)
FULL JOIN (SELECT :column AS code, sum(:value) AS expected FROM :expected AS cog_row GROUP BY ALL) USING (code)
WHERE converted IS DISTINCT FROM expected
ORDER BY code
