-- Les communes de 2026 qui en réunissent le plus de 2012
SELECT c.LIBELLE AS commune, w.to_code AS code, count(*) AS communes_de_2012
FROM cog_crosswalk(2012, 2026) AS w
JOIN communes.communes AS c ON c.COM = w.to_code AND c.TYPECOM = 'COM'
GROUP BY ALL
ORDER BY communes_de_2012 DESC, code
LIMIT 10;
