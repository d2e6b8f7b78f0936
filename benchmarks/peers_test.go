package main

import (
	"strings"
	"testing"
	"time"
)

// TestPeers has every library accept good tokens and refuse bad ones: one that
// accepts anything would look fast.
func TestPeers(t *testing.T) {
	t.Parallel()
	key, err := newSigner(poolKeyID)
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := newSigner(poolKeyID)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	sign := func(s *signer, payload string) string {
		token, err := s.sign(payload)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	list := append([]peer{{name: nameRepeated, open: openOurs(0)}}, peers...)
	for _, p := range list {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			server := newKeyServer(key.jwks(), false)
			t.Cleanup(server.close)
			verify, err := p.open(t.Context(), setup{server: server, keys: key.jwks(), now: time.Now})
			if err != nil {
				t.Fatal(err)
			}
			for _, use := range uses {
				if use == useAccess && p.idOnly {
					continue
				}
				payload := payloadOf(use, 1, now)
				good := sign(key, payload)
				for range 2 { // the second time may be from memory
					if err := verify(t.Context(), use, good); err != nil {
						t.Fatalf("%s: good token refused: %v", use, err)
					}
				}
				other := useID
				if use == useID {
					other = useAccess
				}
				for name, bad := range map[string]string{
					"payload changed after signing":   tamper(good),
					"signed by somebody else":         sign(stranger, payload),
					"expired":                         sign(key, payloadOf(use, 1, now.Add(-tokenLife-time.Hour))),
					"of another issuer":               sign(key, strings.Replace(payload, issuer, issuer+"x", 1)),
					"for another client":              sign(key, strings.ReplaceAll(payload, clientID, "another")),
					"of another use":                  sign(key, strings.Replace(payload, `"token_use":"`+use, `"token_use":"`+other, 1)),
					"naming a key that is nobody's":   unknownKeys(good, 1)[0],
					"without the signature":           good[:strings.LastIndexByte(good, '.')+1],
					"with a signature of other bytes": good[:len(good)-8] + "AAAAAAAA",
				} {
					if verify(t.Context(), use, bad) == nil {
						t.Errorf("%s token accepted: %s", use, name)
					}
				}
			}
		})
	}
}

// tamper changes the user id of a token and leaves its signature.
func tamper(token string) string {
	parts := strings.Split(token, ".")
	payload := strings.Replace(string(decode(parts[1])), `"custom:userId":"2"`, `"custom:userId":"3"`, 1)
	changed := parts[0] + "." + encode([]byte(payload)) + "." + parts[2]
	if changed == token {
		panic("nothing was changed")
	}
	return changed
}

func TestTokensAreCognitoSized(t *testing.T) {
	t.Parallel()
	key, err := newSigner(poolKeyID)
	if err != nil {
		t.Fatal(err)
	}
	for use, limits := range map[string][2]int{useAccess: {900, 1300}, useID: {1200, 1700}} {
		tokens, err := key.mint(use, 3, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		for _, token := range tokens {
			if len(token) < limits[0] || len(token) > limits[1] {
				t.Errorf("%s token has %d bytes", use, len(token))
			}
		}
		if tokens[0] == tokens[1] || tokens[1] == tokens[2] {
			t.Errorf("%s tokens are not distinct", use)
		}
	}
}

// TestSpeed measures ours for a moment, so that what prints the table cannot
// rot.
func TestSpeed(t *testing.T) {
	t.Parallel()
	s, err := newSpeedSetup(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.server.close)
	subjects, err := s.subjects(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	subjects = subjects[:2]
	results, err := bench(subjects, s.floors(1), 2)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.countAllocs(t.Context(), subjects, results); err != nil {
		t.Fatal(err)
	}
	m := results[nameOurs]
	for _, use := range uses {
		if m.floor[use] <= 0 || m.ours[use] != 1 || m.allocs[use] <= 0 {
			t.Errorf("%s: %+v", use, m)
		}
	}
	if line := lastLine(results); !strings.HasPrefix(line, "PEERS fastest_go=golang-jwt+keyfunc over_ours=") || !strings.HasSuffix(line, " aws_jwt_verify_over_ours=n/a") {
		t.Errorf("last line is %q", line)
	}
}

// TestFloorVerifies: a floor that did not look at the signature would make
// everybody slow.
func TestFloorVerifies(t *testing.T) {
	t.Parallel()
	key, err := newSigner(poolKeyID)
	if err != nil {
		t.Fatal(err)
	}
	token, err := key.sign(accessPayload(1, time.Now()))
	if err != nil {
		t.Fatal(err)
	}
	floor := floorOf(&key.key.PublicKey)
	if err := floor(token); err != nil {
		t.Error(err)
	}
	if floor(tamper(token)) == nil {
		t.Error("accepts anything")
	}
}

// TestScenarios runs the quick ones on ours.
func TestScenarios(t *testing.T) {
	t.Parallel()
	e, err := newExaminer()
	if err != nil {
		t.Fatal(err)
	}
	c := goContender(t.Context(), peers[0])
	var b behaviour
	for _, scenario := range []func(contender, *behaviour) error{e.herd, e.herdInOutage, e.unknown, e.rotation} {
		if err := scenario(c, &b); err != nil {
			t.Fatal(err)
		}
	}
	if b.herd != 1 || !b.herdOK || b.herdDown != 1 || b.unknown > 1 || b.newKey != "yes" {
		t.Errorf("%+v", b)
	}
}
