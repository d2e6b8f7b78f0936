package middleware

// appendRecord writes a session of cookies.
func appendRecord(b []byte, sess *session) []byte {
	b = append(b, sess.id[:]...)
	b = appendField(b, sess.subject)
	return appendData(b, &sess.data, appendPacked)
}

// readRecord is the reverse of appendRecord. It takes nothing less or more.
func readRecord(b []byte) (*session, bool) {
	r := recordReader{b, true}
	sess := &session{}
	copy(sess.id[:], r.bytes(sessionIDLen))
	sess.subject = r.field()
	if !r.ok || sess.subject == "" {
		return nil, false
	}
	var ok bool
	sess.data, ok = readData(r.rest)
	return sess, ok
}
