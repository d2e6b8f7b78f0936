package reconcile_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/lambda/reconcile"
	"github.com/ssu-itsupport/cognito-sso/sso/ssotest"
)

// drifts has every kind of finding, and what is none. Each row is made, found
// and left alone in a dry run, then repaired, then found no more.
var drifts = map[string]struct {
	make func(t *testing.T, w *world)
	kind reconcile.Kind // "" is nothing to find
	// action is what would be done; RowID is checked by after.
	action reconcile.Action
	// stays says that Apply leaves it; gone that SubGone is found in the dry
	// run beside it, since the row's old sub is.
	stays, gone bool
	skip        reconcile.Skip
	after       func(t *testing.T, w *world)
}{
	"all is well":              {make: func(t *testing.T, w *world) { w.good(t, "1") }},
	"row that nobody uses yet": {make: func(t *testing.T, w *world) { w.row(t, "", "1") }},

	"attribute missing": {
		make: func(t *testing.T, w *world) { w.row(t, w.kakao(t, "1", ""), "1") },
		kind: reconcile.AttributeMissing, action: reconcile.WriteAttribute,
		after: func(t *testing.T, w *world) { w.wantAttribute(t, "Kakao_1", "1") },
	},
	"attribute of no row": {
		make: func(t *testing.T, w *world) { w.row(t, w.kakao(t, "1", "999"), "1") },
		kind: reconcile.AttributeDiffers, action: reconcile.WriteAttribute,
		after: func(t *testing.T, w *world) { w.wantAttribute(t, "Kakao_1", "1") },
	},
	"attribute that is no id": {
		make: func(t *testing.T, w *world) { w.row(t, w.kakao(t, "1", "' OR 1=1 --"), "1") },
		kind: reconcile.AttributeDiffers, action: reconcile.WriteAttribute,
		after: func(t *testing.T, w *world) { w.wantAttribute(t, "Kakao_1", "1") },
	},
	"attribute of another user": {
		make: func(t *testing.T, w *world) {
			_, id := w.good(t, "1")
			w.row(t, w.kakao(t, "2", id), "2")
		},
		kind: reconcile.AttributeOfAnother, action: reconcile.WriteAttribute,
		after: func(t *testing.T, w *world) {
			w.wantAttribute(t, "Kakao_1", "1")
			w.wantAttribute(t, "Kakao_2", "2")
		},
	},
	"attribute of another user, and no row": {
		make: func(t *testing.T, w *world) {
			_, id := w.good(t, "1")
			w.kakao(t, "2", id)
		},
		kind: reconcile.AttributeOfAnother, action: reconcile.CreateRow,
		after: func(t *testing.T, w *world) { w.wantAttribute(t, "Kakao_2", "2") },
	},
	"attribute of a row that nobody uses yet": {
		make: func(t *testing.T, w *world) { w.row(t, "", "77"); w.row(t, w.kakao(t, "1", "1"), "1") },
		kind: reconcile.AttributeOfAnother, action: reconcile.WriteAttribute,
		after: func(t *testing.T, w *world) { w.wantAttribute(t, "Kakao_1", "2") },
	},
	"user without row": {
		make: func(t *testing.T, w *world) { w.kakao(t, "1", "") },
		kind: reconcile.UserWithoutRow, action: reconcile.CreateRow,
		after: func(t *testing.T, w *world) {
			w.wantAttribute(t, "Kakao_1", "1")
			if u, err := w.store.Get(t.Context(), "1"); err != nil || u.Providers["Kakao"] != "1" {
				t.Errorf("row = %+v, %v", u, err)
			}
		},
	},
	"user without row, with an attribute of none": {
		make: func(t *testing.T, w *world) { w.kakao(t, "1", "31337") },
		kind: reconcile.UserWithoutRow, action: reconcile.CreateRow,
		after: func(t *testing.T, w *world) { w.wantAttribute(t, "Kakao_1", "1") },
	},
	"user of an old row": {
		make: func(t *testing.T, w *world) { w.kakao(t, "1", ""); w.row(t, "", "1") },
		kind: reconcile.UserWithoutRow, action: reconcile.LinkRow,
		after: func(t *testing.T, w *world) { w.wantAttribute(t, "Kakao_1", "1") },
	},
	"user deleted and signed up again": {
		make: func(t *testing.T, w *world) {
			w.good(t, "1")
			w.delete(t, "Kakao_1")
			w.kakao(t, "1", "")
		},
		kind: reconcile.UserWithoutRow, action: reconcile.MoveRow, gone: true,
		after: func(t *testing.T, w *world) { w.wantAttribute(t, "Kakao_1", "1") },
	},
	"native user without row": {
		make: func(t *testing.T, w *world) { w.add(t, ssotest.User{Username: "hana"}, "") },
		kind: reconcile.UserWithoutRow, action: reconcile.CreateRow,
		after: func(t *testing.T, w *world) { w.wantAttribute(t, "hana", "1") },
	},
	// A native user's linked Kakao account is not who he is, to the triggers neither.
	"native user with a linked account does not get its row": {
		make: func(t *testing.T, w *world) {
			w.row(t, "", "1")
			w.add(t, ssotest.User{Username: "hana", Attributes: map[string]string{
				"identities": `[{"userId":"1","providerName":"Kakao","primary":false,"dateCreated":1}]`}}, "")
		},
		kind: reconcile.UserWithoutRow, action: reconcile.CreateRow,
		after: func(t *testing.T, w *world) { w.wantAttribute(t, "hana", "2") },
	},
	// The username's text is nobody's identity.
	"native user who is called like a Kakao user": {
		make: func(t *testing.T, w *world) {
			w.row(t, "", "1")
			w.add(t, ssotest.User{Username: "Kakao_1"}, "")
		},
		kind: reconcile.UserWithoutRow, action: reconcile.CreateRow,
		after: func(t *testing.T, w *world) { w.wantAttribute(t, "Kakao_1", "2") },
	},
	"row without the id at the provider": {
		make: func(t *testing.T, w *world) {
			id := w.row(t, w.kakao(t, "1", ""), "")
			w.write(t, "Kakao_1", id)
		},
		kind: reconcile.RowWithoutProviderID, action: reconcile.FillProviderID,
		after: func(t *testing.T, w *world) {
			if u, err := w.store.Get(t.Context(), "1"); err != nil || u.Providers["Kakao"] != "1" {
				t.Errorf("row = %+v, %v", u, err)
			}
		},
	},

	"sub that is gone": {
		make: func(t *testing.T, w *world) { w.good(t, "1"); w.delete(t, "Kakao_1") },
		kind: reconcile.SubGone, action: reconcile.NoAction, stays: true,
	},
	"row of another living user": {
		make: func(t *testing.T, w *world) {
			w.row(t, w.add(t, ssotest.User{Username: "hana"}, "1"), "2")
			w.kakao(t, "2", "")
		},
		kind: reconcile.ContestedRow, action: reconcile.NoAction, stays: true,
		after: func(t *testing.T, w *world) { w.wantAttribute(t, "hana", "1"); w.wantAttribute(t, "Kakao_2", "") },
	},
	"row with another id at the provider": {
		make: func(t *testing.T, w *world) { w.row(t, w.kakao(t, "1", "1"), "2") },
		kind: reconcile.IdentityConflict, action: reconcile.NoAction, stays: true,
	},
	"sub and provider's id on two rows": {
		make: func(t *testing.T, w *world) { w.row(t, w.kakao(t, "1", "1"), ""); w.row(t, "", "1") },
		kind: reconcile.IdentityConflict, action: reconcile.NoAction, stays: true,
	},
	"federated user without identities": {
		make: func(t *testing.T, w *world) {
			w.add(t, ssotest.User{Username: "Kakao_1", Status: "EXTERNAL_PROVIDER", Attributes: map[string]string{"identities": "[]"}}, "")
		},
		kind: reconcile.IdentityUnclear, action: reconcile.NoAction, stays: true,
	},
	"other provider with somebody's attribute": {
		make: func(t *testing.T, w *world) {
			_, id := w.good(t, "1")
			w.add(t, ssotest.User{Username: "Naver_1", Status: "EXTERNAL_PROVIDER"}, id)
		},
		kind: reconcile.IdentityUnclear, action: reconcile.NoAction, stays: true,
	},

	"other provider": {
		make: func(t *testing.T, w *world) {
			w.add(t, ssotest.User{Username: "Naver_1", Status: "EXTERNAL_PROVIDER"}, "")
		},
		skip: reconcile.SkipProvider,
	},
	"other provider, with a row": {
		make: func(t *testing.T, w *world) {
			w.row(t, w.add(t, ssotest.User{Username: "Naver_1", Status: "EXTERNAL_PROVIDER"}, ""), "")
		},
		skip: reconcile.SkipProvider,
	},
	"disabled user": {
		make: func(t *testing.T, w *world) {
			w.add(t, ssotest.User{Username: "Kakao_1", Status: "EXTERNAL_PROVIDER", Disabled: true}, "")
		},
		skip: reconcile.SkipInactive,
	},
	"user who never confirmed": {
		make: func(t *testing.T, w *world) { w.add(t, ssotest.User{Username: "hana", Status: "UNCONFIRMED"}, "") },
		skip: reconcile.SkipInactive,
	},
	"user whom an administrator made and who never came": {
		make: func(t *testing.T, w *world) {
			w.add(t, ssotest.User{Username: "hana", Status: "FORCE_CHANGE_PASSWORD"}, "")
		},
		skip: reconcile.SkipInactive,
	},
	// Enabled again, he would get tokens for somebody else.
	"disabled user with another's attribute": {
		make: func(t *testing.T, w *world) {
			_, id := w.good(t, "1")
			w.row(t, w.add(t, ssotest.User{Username: "Kakao_2", Status: "EXTERNAL_PROVIDER", Disabled: true}, id), "2")
		},
		kind: reconcile.AttributeOfAnother, action: reconcile.WriteAttribute,
		after: func(t *testing.T, w *world) { w.wantAttribute(t, "Kakao_2", "2") },
	},
}

func (w *world) wantAttribute(t *testing.T, username, want string) {
	t.Helper()
	u, ok := w.pool.User(username)
	if got := u.Attributes["custom:userId"]; !ok || got != want {
		t.Errorf("attribute of %s = %q, %v, want %q", username, got, ok, want)
	}
}

func TestFindings(t *testing.T) {
	t.Parallel()
	for name, tc := range drifts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			tc.make(t, w)
			found := 0
			if tc.kind != "" {
				found = 1
			}
			pool, rows := w.state(t)

			dry := w.run(t)
			if dry.Found[tc.kind] != found || total(dry.Repaired) != 0 || dry.Clean() == (found == 1 && tc.kind != reconcile.SubGone) {
				t.Errorf("dry run: %+v", dry)
			}
			extra := 0
			if tc.gone {
				extra = dry.Found[reconcile.SubGone]
			}
			if total(dry.Found)-extra != found || tc.gone && extra != 1 {
				t.Errorf("dry run found more: %+v", dry.Found)
			}
			if found == 1 && (w.found[0].Kind != tc.kind || w.found[0].Action != tc.action || w.found[0].Repaired || w.found[0].Severity != tc.kind.Severity()) {
				t.Errorf("dry run told %+v", w.found[0])
			}
			if tc.skip != "" && dry.Skipped[tc.skip] != 1 {
				t.Errorf("skipped = %v, want one %s", dry.Skipped, tc.skip)
			}
			if p, r := w.state(t); !maps.Equal(p, pool) || !slices.Equal(r, rows) {
				t.Errorf("a dry run changed something:\n%v\n%v\n%v\n%v", pool, rows, p, r)
			}

			first := w.run(t, apply)
			repaired := found
			if tc.stays {
				repaired = 0
			}
			if first.Found[tc.kind] != found || first.Repaired[tc.kind] != repaired {
				t.Errorf("apply: %+v", first)
			}
			if repaired == 1 && (w.found[0].Action != tc.action || !w.found[0].Repaired) {
				t.Errorf("apply told %+v", w.found[0])
			}
			if tc.stays {
				if p, r := w.state(t); !maps.Equal(p, pool) || !slices.Equal(r, rows) {
					t.Error("apply changed what a person must decide")
				}
			}
			if tc.after != nil {
				tc.after(t, w)
			}

			again := w.run(t, apply)
			if total(again.Found) != found-repaired || total(again.Repaired) != 0 || !tc.stays && !again.Clean() {
				t.Errorf("second apply: %+v", again)
			}
		})
	}
}
