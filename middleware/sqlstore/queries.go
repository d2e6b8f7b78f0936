package sqlstore

import "strings"

// queries are the statements of one table. Every one is a transaction by
// itself.
type queries struct {
	get, insert, dropExpired, update, exists, remove,
	keysOfSubject, expiredKeys, lock, unlock string
	// removeKeys and removeExpired end in "(", where the keys follow.
	removeKeys, removeExpired string
}

func queriesOf(d Dialect, table string) queries {
	in := strings.NewReplacer("{table}", d.quote(table), "{now}", d.now())
	q := func(text string) string { return d.bind(in.Replace(text)) }
	insert := `INSERT INTO {table} (session_key, subject, version, expires_at, data, lock_holder, locked_until) VALUES (?, ?, 1, ?, ?, '', 0)`
	if d == MySQL {
		insert = strings.Replace(insert, "INSERT", "INSERT IGNORE", 1)
	} else {
		insert += ` ON CONFLICT (session_key) DO NOTHING`
	}
	return queries{
		get:         q(`SELECT subject, version, expires_at, data FROM {table} WHERE session_key = ? AND expires_at > {now}`),
		insert:      q(insert),
		dropExpired: q(`DELETE FROM {table} WHERE session_key = ? AND expires_at <= {now}`),
		// version + 1 is a change also for a driver that counts only changed
		// rows.
		update: q(`UPDATE {table} SET version = version + 1, expires_at = ?, data = ? WHERE session_key = ? AND version = ? AND expires_at > {now}`),
		exists: q(`SELECT 1 FROM {table} WHERE session_key = ? AND expires_at > {now}`),
		remove: q(`DELETE FROM {table} WHERE session_key = ?`),

		// Rows are found first and then deleted by primary key, in its order:
		// a range of an index locked by MySQL would stand in the way of other
		// people's sign-ins, and two such calls in each other's.
		keysOfSubject: q(`SELECT session_key FROM {table} WHERE subject = ? AND expires_at > {now} ORDER BY session_key`),
		removeKeys:    in.Replace(`DELETE FROM {table} WHERE session_key IN (`),
		expiredKeys:   q(`SELECT session_key FROM {table} WHERE expires_at <= {now} ORDER BY expires_at LIMIT ?`),
		removeExpired: in.Replace(`DELETE FROM {table} WHERE expires_at <= {now} AND session_key IN (`),

		lock:   q(`UPDATE {table} SET lock_holder = ?, locked_until = {now} + ? WHERE session_key = ? AND expires_at > {now} AND (locked_until <= {now} OR lock_holder = ?)`),
		unlock: q(`UPDATE {table} SET lock_holder = '', locked_until = 0 WHERE session_key = ? AND lock_holder = ?`),
	}
}

// keyList completes a statement that ends in "(".
func (d Dialect) keyList(query string, n int) string {
	return d.bind(query + strings.TrimSuffix(strings.Repeat("?, ", n), ", ") + ")")
}
