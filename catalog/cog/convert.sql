-- The rows of a table, the codes in one column moved. Each comes back once, for the crosswalk has one row a code.
SELECT
    cog_row.* REPLACE (CASE
        WHEN typeof(cog_row.:column) <> 'VARCHAR' THEN error(format(
            'the codes of communes are text, for their zeros and for 2A and 2B, and not {}: give the column '
            || '`type: text` in its descriptor, or lpad(code::VARCHAR, 5, ''0'') where nothing but zeros was lost',
            typeof(cog_row.:column)
        ))
        WHEN cog_found IS NOT NULL THEN cog_found.to_code
        WHEN $unnamed THEN cog_row.:column::VARCHAR
    END AS :column),
    cog_row.:column AS :before,
    CASE WHEN cog_found IS NOT NULL THEN cog_found.state WHEN $unnamed THEN 'same' ELSE 'unknown' END AS :state
FROM :table AS cog_row
LEFT JOIN (SELECT cog_found FROM cog_crosswalk(:from_year, :to_year) AS cog_found) AS cog_found_once
    ON cog_found.code = cog_row.:column::VARCHAR
