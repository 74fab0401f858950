-- Role memberships of the warehouse are its affair.
SELECT NULL::pg_catalog.name AS grantee
WHERE false
