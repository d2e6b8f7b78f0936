package main

import (
	"regexp"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/internal/browsertest"
)

// A student with a real browser: signs up with Kakao, is let in by the second
// app without being asked, signs out, and at last signs out everywhere.
func TestBrowser(t *testing.T) {
	t.Parallel()
	b := browsertest.Start(t, browsertest.Config{}).NewProfile(t).NewTab()
	w := newWorld(t, freePorts(t))

	b.Step("Kakao sign-up on the board")
	b.Open(w.board.url + "/")
	b.Click("#kakao")
	b.See("#subject") // the stand-in of Kakao
	b.WantAt(w.pool.URL() + "/_idp/Kakao/")
	b.Fill("#subject", "4015926535")
	b.Fill("#name", "한새봄 Han Saebom")
	b.Click("#continue")
	b.See("#user-id")
	b.WantAt(w.board.url + "/")
	id := b.Text("#user-id")
	b.WantText("#name", "한새봄 Han Saebom")
	if !regexp.MustCompile(`^[1-9][0-9]*$`).MatchString(id) {
		t.Errorf("userId %q", id)
	}
	b.WantContains("#row", "4015926535")
	b.WantContains("#triggers", "PostConfirmation_ConfirmSignUp")
	b.WantContains("#api", `"userId": "`+id+`"`)

	b.Step("the desk without a prompt")
	b.Click("#other-app")
	b.See("#signin") // the desk has a session of its own, and none yet
	b.Click("#signin")
	b.See("#user-id")
	b.WantAt(w.desk.url + "/")
	b.WantText("#user-id", id)
	b.Click("#events button") // joins the first event through the API
	b.See("#events .good")

	b.Step("sign out on the desk")
	b.Click("#sign-out")
	b.SeeText("You are signed out")
	b.WantAt(w.desk.url + "/auth/logged-out")
	b.Open(w.desk.url + "/")
	b.See("#signin")
	b.Open(w.board.url + "/")
	b.WantText("#user-id", id) // the board keeps its own session

	b.Step("the pool asks again")
	b.Open(w.desk.url + "/")
	b.Click("#signin")
	b.See(`a[href*="identity_provider=Kakao"]`) // the pool's own page
	b.WantAt(w.pool.URL() + "/login")
	b.Click(`a[href*="identity_provider=Kakao"]`)
	b.Fill("#subject", "4015926535")
	b.Click("#continue")
	b.WantText("#user-id", id)
	b.WantContains("#triggers", "PostAuthentication_Authentication")

	b.Step("sign out everywhere on the board")
	b.Open(w.board.url + "/")
	b.Click("#sign-out-everywhere")
	b.SeeText("You are signed out")
	b.Open(w.board.url + "/")
	b.See("#signin")
	b.Open(w.desk.url + "/")
	b.See("#signin") // the desk's session has ended too
	b.Click("#signin")
	b.See(`a[href*="identity_provider=Kakao"]`)
}
