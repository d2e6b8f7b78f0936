package middleware

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	// maxChunks bounds how many cookies one session has.
	maxChunks = 4
	// chunkBytes is what one of them holds. Browsers take 4,096 bytes with name
	// and attributes.
	chunkBytes = 3840
	// chunksVersion is the start of the first chunk; the number of chunks and
	// a dot follow.
	chunksVersion = "c1."
)

// chunkName returns the name of a session's i-th cookie.
func (c *cookies) chunkName(i int) string {
	if i == 0 {
		return c.session
	}
	return c.session + "-" + strconv.Itoa(i)
}

// setChunks writes text, of at most maxCookieBytes, to as many cookies as it
// takes, and removes all others that a larger one may have left. Which of them
// the browser has now cannot be told: another answer may be on its way.
func (c *cookies) setChunks(w http.ResponseWriter, text string, age time.Duration) {
	n := chunkCount(len(text))
	for i := range n {
		chunk := text[i*chunkBytes : min((i+1)*chunkBytes, len(text))]
		if i == 0 {
			chunk = chunksVersion + strconv.Itoa(n) + "." + chunk
		}
		c.set(w, c.chunkName(i), chunk, age)
	}
	c.removeChunks(w, n)
}

// removeChunks removes the cookies of a session from the i-th on.
func (c *cookies) removeChunks(w http.ResponseWriter, i int) {
	for ; i < maxChunks; i++ {
		c.remove(w, c.chunkName(i))
	}
}

func chunkCount(size int) int { return max(1, (size+chunkBytes-1)/chunkBytes) }

// chunks puts together what setChunks wrote. It takes one spelling only: as
// many chunks as the first one says, each full but the last, and none empty. Whether they are
// of one writing is for the seal to say, which spans them all; cookies beyond
// their number are left from another one, and are not looked at.
func (c *cookies) chunks(r *http.Request) (text string, ok bool) {
	first, ok := c.get(r, c.session)
	if !ok {
		return "", false
	}
	rest, ok := strings.CutPrefix(first, chunksVersion)
	if !ok || len(rest) < 2 || rest[1] != '.' || rest[0] < '1' || rest[0] > '0'+maxChunks {
		return "", false
	}
	n := int(rest[0] - '0')
	var all strings.Builder
	for i := range n {
		chunk := rest[2:]
		if i > 0 {
			if chunk, ok = c.get(r, c.chunkName(i)); !ok {
				return "", false
			}
		}
		if len(chunk) > chunkBytes || i < n-1 && len(chunk) != chunkBytes {
			return "", false
		}
		all.WriteString(chunk)
	}
	return all.String(), all.Len() > 0
}
