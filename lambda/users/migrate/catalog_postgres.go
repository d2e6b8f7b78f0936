package migrate

import (
	"context"
	"database/sql"
	"errors"
	"strings"
)

func describePostgres(ctx context.Context, q querier, name string) (catalog, error) {
	var c catalog
	var oid int64
	var kind string
	// to_regclass looks where the stores' own statements will.
	err := q.QueryRowContext(ctx, `SELECT c.oid::bigint, c.relkind::text, c.relrowsecurity FROM pg_catalog.pg_class c
		WHERE c.oid = pg_catalog.to_regclass($1)`, Postgres.quote(name)).Scan(&oid, &kind, &c.secured)
	if errors.Is(err, sql.ErrNoRows) {
		return c, nil
	}
	if err != nil {
		return c, err
	}
	c.exists = true
	switch kind {
	case "r":
	case "p":
		c.problem = "it is partitioned: a unique index over all partitions cannot be made for a column that is not in the partition key"
	default:
		c.problem = "it is a view or a foreign table"
	}
	if err := c.postgresColumns(ctx, q, oid); err != nil {
		return c, err
	}
	if err := c.postgresIndexes(ctx, q, oid); err != nil {
		return c, err
	}
	// tgtype: 4 is INSERT, 16 is UPDATE.
	c.triggers, err = strs(ctx, q, `SELECT tgname::text FROM pg_catalog.pg_trigger
		WHERE tgrelid = $1::bigint::oid AND NOT tgisinternal AND tgenabled <> 'D' AND tgtype & 20 <> 0 ORDER BY 1`, oid)
	if err != nil {
		return c, err
	}
	c.taken, err = strs(ctx, q, `SELECT o.relname::text FROM pg_catalog.pg_class o
		WHERE o.relnamespace = (SELECT relnamespace FROM pg_catalog.pg_class WHERE oid = $1::bigint::oid)`, oid)
	return c, err
}

func (c *catalog) postgresColumns(ctx context.Context, q querier, oid int64) error {
	const query = `
		SELECT a.attname::text, coalesce(b.typname, t.typname)::text,
			greatest(CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE a.atttypmod END - 4, 0)::bigint,
			a.attnotnull OR (t.typtype = 'd' AND t.typnotnull),
			a.atthasdef OR a.attidentity <> '' OR t.typdefault IS NOT NULL,
			a.attidentity <> '' OR coalesce(pg_get_expr(ad.adbin, ad.adrelid) ~ '^(nextval|gen_random_uuid|uuid_generate)', false),
			a.attgenerated <> '', coalesce(co.collisdeterministic, true),
			coalesce(b.typname, t.typname) = 'numeric' AND (a.atttypmod - 4) & 65535 > 0 AND a.atttypmod > 4,
			EXISTS (SELECT 1 FROM pg_catalog.pg_index i WHERE i.indrelid = a.attrelid AND i.indisprimary AND a.attnum = ANY (i.indkey::int2[]))
		FROM pg_catalog.pg_attribute a
		JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
		LEFT JOIN pg_catalog.pg_type b ON t.typtype = 'd' AND b.oid = t.typbasetype
		LEFT JOIN pg_catalog.pg_attrdef ad ON ad.adrelid = a.attrelid AND ad.adnum = a.attnum
		LEFT JOIN pg_catalog.pg_collation co ON co.oid = a.attcollation
		WHERE a.attrelid = $1::bigint::oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`
	return each(ctx, q, func(r *sql.Rows) error {
		var col column
		var deterministic, decimals bool
		err := r.Scan(&col.name, &col.typ, &col.length, &col.notNull, &col.hasDefault, &col.numbered, &col.generated, &deterministic, &decimals, &col.key)
		if decimals {
			col.typ = "numeric with decimals"
		}
		if col.typ == "citext" || !deterministic {
			col.inexact = "takes different texts for the same"
		}
		if col.typ != "varchar" && col.typ != "bpchar" {
			col.length = 0
		}
		c.columns = append(c.columns, col)
		return err
	}, query, oid)
}

func (c *catalog) postgresIndexes(ctx context.Context, q querier, oid int64) error {
	// indnullsnotdistinct came with PostgreSQL 15; the JSON of the row has it
	// or has not.
	const query = `
		SELECT c.relname::text, i.indisunique, i.indisvalid AND i.indisready AND i.indislive, i.indimmediate,
			i.indexprs IS NULL AND (i.indpred IS NULL OR pg_get_expr(i.indpred, i.indrelid) = (SELECT format('(%I IS NOT NULL)', a.attname)
				FROM pg_catalog.pg_attribute a WHERE a.attrelid = i.indrelid AND a.attnum = i.indkey[0])), i.indisprimary,
			coalesce((to_jsonb(i) ->> 'indnullsnotdistinct')::bool, false),
			EXISTS (SELECT 1 FROM pg_catalog.pg_stat_progress_create_index p WHERE p.index_relid = i.indexrelid),
			(SELECT string_agg(coalesce(a.attname::text, ''), chr(31) ORDER BY k.n)
				FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, n)
				LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum AND k.attnum > 0
				WHERE k.n <= i.indnkeyatts)
		FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
		WHERE i.indrelid = $1::bigint::oid ORDER BY c.relname`
	return each(ctx, q, func(r *sql.Rows) error {
		var i index
		var immediate, plain bool
		var columns string
		err := r.Scan(&i.name, &i.unique, &i.valid, &immediate, &plain, &i.primary, &i.oneNull, &i.building, &columns)
		i.columns = strings.Split(columns, "\x1f")
		i.usable = i.valid && immediate && plain
		c.indexes = append(c.indexes, i)
		return err
	}, query, oid)
}
