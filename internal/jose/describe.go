package jose

import (
	"errors"

	"github.com/ssu-itsupport/cognito-sso/internal/strictjson"
)

// Info is one entry of a key set, for people to read. Its texts are the
// document's own: they may be anything.
type Info struct {
	// KeyID, Type, Algorithm and Use are kid, kty, alg and use; "" if absent or
	// no string.
	KeyID, Type, Algorithm, Use string
	// Bits is the size of the modulus, 0 if there is none that can be read.
	Bits int
	// Problem says why the key is not usable; nil if it is.
	Problem error
}

// errTaken is the Problem of the second usable entry of one kid.
var errTaken = errors.New("jose: an entry above has this kid")

// Describe lists every entry of a key set in its order: the usable ones are
// those that [ParseSet] makes keys of. Its error is [ErrNotKeySet]; a set
// without a usable key is none.
func Describe(document []byte) ([]Info, error) {
	entries, err := splitSet(document)
	if err != nil {
		return nil, err
	}
	taken := map[string]bool{}
	list := make([]Info, len(entries))
	for i, e := range entries {
		list[i] = describe(e)
		kid, _, err := parseEntry(e)
		if err == nil && taken[kid] {
			err = errTaken
		}
		list[i].Problem = err
		if err == nil {
			taken[kid] = true
		}
	}
	return list, nil
}

// describe reads what can be read of an entry, usable or not.
func describe(e []byte) (info Info) {
	fields := map[string]*string{"kid": &info.KeyID, "kty": &info.Type, "alg": &info.Algorithm, "use": &info.Use}
	var n string
	if strictjson.Object(string(e), entryLimits, func(name, value string) {
		if dst := fields[name]; dst != nil {
			*dst, _ = strictjson.String(value)
		}
		if name == "n" {
			n = value
		}
	}) != nil {
		return Info{}
	}
	if modulus, err := decodeUint(n); err == nil {
		info.Bits = modulus.BitLen()
	}
	return info
}
