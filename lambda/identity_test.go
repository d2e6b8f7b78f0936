package lambda_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/lambda"
)

// withIdentities is a sign-up with this identities attribute and status. nil
// leaves the attribute out.
func withIdentities(t testing.TB, status string, identities *string) json.RawMessage {
	t.Helper()
	e := decode(t, fixture(t, "postconfirmation_kakao"))
	attrs := e["request"].(map[string]any)["userAttributes"].(map[string]any)
	delete(attrs, "identities")
	if identities != nil {
		attrs["identities"] = *identities
	}
	delete(attrs, "cognito:user_status")
	if status != "" {
		attrs["cognito:user_status"] = status
	}
	raw, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func entry(provider, id, primary string) string {
	return fmt.Sprintf(`{"userId":%q,"providerName":%q,"providerType":"OIDC","issuer":null,"primary":%s,"dateCreated":1773100800000}`, id, provider, primary)
}

func TestIdentities(t *testing.T) {
	t.Parallel()
	const external = "EXTERNAL_PROVIDER"
	list := func(entries ...string) string { return "[" + strings.Join(entries, ",") + "]" }
	for name, tc := range map[string]struct {
		status, identities string
		provider, subject  string
		err                error
	}{
		"attribute form":                   {external, list(entry("Kakao", "11", "true")), "Kakao", "11", nil},
		"token form":                       {external, `[{"userId":"11","providerName":"Kakao","primary":"true","dateCreated":"1773100800000"}]`, "Kakao", "11", nil},
		"not primary, but the only one":    {external, list(entry("Kakao", "11", "false")), "Kakao", "11", nil},
		"no primary member":                {external, `[{"userId":"11","providerName":"Kakao"}]`, "Kakao", "11", nil},
		"null primary":                     {external, list(entry("Kakao", "11", "null")), "Kakao", "11", nil},
		"id as a number":                   {external, `[{"userId":4000000001,"providerName":"Kakao","primary":true}]`, "Kakao", "4000000001", nil},
		"provider in lower case":           {external, list(entry("google", "11", "true")), "Google", "11", nil},
		"the primary of two":               {external, list(entry("Google", "22", "false"), entry("Kakao", "11", "true")), "Kakao", "11", nil},
		"the configured of two":            {external, list(entry("Naver", "22", "true"), entry("Kakao", "11", "false")), "Kakao", "11", nil},
		"id with an underscore":            {external, list(entry("Kakao", `ad_user\x`, "true")), "Kakao", `ad_user\x`, nil},
		"native, linked":                   {"CONFIRMED", list(entry("Kakao", "11", "false")), "", "", nil},
		"native, linked, says primary":     {"CONFIRMED", list(entry("Kakao", "11", "true")), "", "", nil},
		"native":                           {"CONFIRMED", "", "", "", nil},
		"no status, no identities":         {"", "", "", "", nil},
		"status in another case":           {"external_provider", list(entry("Kakao", "11", "true")), "", "", nil},
		"foreign provider":                 {external, list(entry("Naver", "11", "true")), "", "", lambda.ErrProvider},
		"configured name as a prefix":      {external, list(entry("KakaoTest", "11", "true")), "", "", lambda.ErrProvider},
		"no status":                        {"", list(entry("Kakao", "11", "true")), "", "", lambda.ErrIdentity},
		"no identities":                    {external, "", "", "", lambda.ErrIdentity},
		"empty list":                       {external, "[]", "", "", lambda.ErrIdentity},
		"null":                             {external, "null", "", "", lambda.ErrIdentity},
		"two, none primary":                {external, list(entry("Google", "22", "false"), entry("Kakao", "11", "false")), "", "", lambda.ErrIdentity},
		"two primaries":                    {external, list(entry("Google", "22", "true"), entry("Kakao", "11", "true")), "", "", lambda.ErrIdentity},
		"two ids at one provider":          {external, list(entry("Kakao", "22", "false"), entry("Kakao", "11", "false")), "", "", lambda.ErrIdentity},
		"not JSON":                         {external, "Kakao_11", "", "", lambda.ErrIdentity},
		"not a list":                       {external, entry("Kakao", "11", "true"), "", "", lambda.ErrIdentity},
		"a list of text":                   {external, `["Kakao"]`, "", "", lambda.ErrIdentity},
		"a null entry":                     {external, list("null", entry("Kakao", "11", "true")), "", "", lambda.ErrIdentity},
		"an entry without id":              {external, `[{"providerName":"Kakao","primary":true}]`, "", "", lambda.ErrIdentity},
		"an empty id":                      {external, list(entry("Kakao", "", "true")), "", "", lambda.ErrIdentity},
		"an entry without provider":        {external, `[{"userId":"11","primary":true}]`, "", "", lambda.ErrIdentity},
		"folded member names":              {external, `[{"UserID":"11","PROVIDERNAME":"Kakao","primary":true}]`, "", "", lambda.ErrIdentity},
		"id as a fraction":                 {external, `[{"userId":1.5,"providerName":"Kakao","primary":true}]`, "", "", lambda.ErrIdentity},
		"id as an exponent":                {external, `[{"userId":4e9,"providerName":"Kakao","primary":true}]`, "", "", lambda.ErrIdentity},
		"negative id":                      {external, `[{"userId":-1,"providerName":"Kakao","primary":true}]`, "", "", lambda.ErrIdentity},
		"primary is a number":              {external, list(entry("Kakao", "11", "1")), "", "", lambda.ErrIdentity},
		"a broken entry beside a good one": {external, list(entry("Kakao", "11", "false"), `{"providerName":"Google","primary":true}`), "", "", lambda.ErrIdentity},
		"something after the list":         {external, list(entry("Kakao", "11", "true")) + "x", "", "", lambda.ErrIdentity},
		"absurdly long":                    {external, list(entry("Kakao", strings.Repeat("1", 70_000), "true")), "", "", lambda.ErrIdentity},
		"absurdly many":                    {external, "[" + strings.Repeat(entry("Kakao", "11", "true")+",", 60) + entry("Kakao", "11", "true") + "]", "", "", lambda.ErrIdentity},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			var attribute *string
			if tc.identities != "" {
				attribute = &tc.identities
			}
			in := withIdentities(t, tc.status, attribute)
			_, err := w.Handle(t.Context(), in)
			if tc.err != nil {
				if !errors.Is(err, tc.err) || len(w.store.ensured) > 0 {
					t.Fatalf("Handle: %v (%v), ensured %v, want %v", err, errors.Unwrap(err), w.store.ensured, tc.err)
				}
				wantNothingPersonal(t, "log", w.log.String())
				return
			}
			if err != nil || len(w.store.ensured) != 1 {
				t.Fatalf("Handle: %v (%v), ensured %v", err, errors.Unwrap(err), w.store.ensured)
			}
			if got := w.store.ensured[0]; got.Sub != kakaoUser.Sub || got.Provider != tc.provider || got.Subject != tc.subject {
				t.Errorf("ensured %+v, want %s %s", got, tc.provider, tc.subject)
			}
		})
	}
}

// A user who has a row already gets on without identities: nothing is linked,
// nothing made.
func TestUnclearIdentityWithRow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.store.rows = map[string]string{kakaoUser.Sub: "77"}
	if _, err := w.Handle(t.Context(), withIdentities(t, "EXTERNAL_PROVIDER", nil)); err != nil {
		t.Fatal(err)
	}
	if len(w.store.ensured) != 0 || len(w.attrs.sets) != 1 || w.attrs.sets[0][3] != "77" {
		t.Errorf("ensured %v, set %v", w.store.ensured, w.attrs.sets)
	}
	w.store.err = errBroken
	if _, err := w.Handle(t.Context(), withIdentities(t, "EXTERNAL_PROVIDER", nil)); !errors.Is(err, errBroken) {
		t.Errorf("with a broken store: %v", err)
	}
}

func FuzzIdentities(f *testing.F) {
	for _, s := range []string{`[]`, `null`, "[" + entry("Kakao", "11", "true") + "]", "[" + entry("google", "1", `"false"`) + "," + entry("Naver", "2", "true") + "]", `[{"userId":12}]`} {
		f.Add(s, "EXTERNAL_PROVIDER")
		f.Add(s, "CONFIRMED")
	}
	f.Fuzz(func(t *testing.T, identities, status string) {
		w := newWorld(t)
		_, err := w.Handle(t.Context(), withIdentities(t, status, &identities))
		if err != nil {
			if len(w.store.ensured)+len(w.attrs.sets)+len(w.queue.sent) > 0 {
				t.Fatalf("refused, yet: %v %v %v", w.store.ensured, w.attrs.sets, w.queue.sent)
			}
			return
		}
		id := w.store.ensured[0]
		switch {
		case id.Provider == "" && id.Subject == "" && status != "EXTERNAL_PROVIDER":
		case status != "EXTERNAL_PROVIDER", id.Subject == "", id.Provider != "Kakao" && id.Provider != "Google":
			t.Fatalf("status %q, identities %q: ensured %+v", status, identities, id)
		}
	})
}
