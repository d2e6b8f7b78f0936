package main

import (
	"context"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/lambda"
	"github.com/ssu-itsupport/cognito-sso/lambda/internal/settings"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/table"
)

var least = []string{
	"SSO_PROVIDERS=Kakao,Google", "SSO_STORE=sqlite", "SSO_SQLITE_PATH=/mnt/users.db",
	"SSO_SIGNIN_QUEUE_URL=https://sqs.ap-northeast-2.amazonaws.com/000000000000/sign-ins", "PATH=/bin", "AWS_REGION=ap-northeast-2",
}

func with(vars ...string) []string { return append(append([]string{}, least...), vars...) }

func TestSettingsLeast(t *testing.T) {
	t.Parallel()
	r := settings.NewReader(least)
	c := read(r)
	if r.Err() != nil {
		t.Fatal(r.Err())
	}
	if !reflect.DeepEqual(c.triggers.Providers, []string{"Kakao", "Google"}) || c.store.Kind != settings.SQLite || c.store.Path != "/mnt/users.db" ||
		c.triggers.AllowNativeSignUp || c.triggers.AllowMissingUserID || c.triggers.UserIDSource != lambda.AttributeFirst || c.triggers.Texts != nil || len(r.Unknown()) != 0 {
		t.Errorf("settings = %+v, unknown %v", c, r.Unknown())
	}
}

// Nothing said means the split topology, which needs the other function.
func TestSplitIsTheDefault(t *testing.T) {
	t.Parallel()
	r := settings.NewReader(with("SSO_STORE=", "SSO_DBSYNC_FUNCTION=sso-dbsync"))
	if c := read(r); c.store.Kind != settings.Remote || c.store.Function != "sso-dbsync" || r.Err() != nil {
		t.Errorf("store = %+v, %v", c.store, r.Err())
	}
}

func TestSettingsAll(t *testing.T) {
	t.Parallel()
	r := settings.NewReader(with("SSO_PROVIDERS= Kakao , Naver ", "SSO_PROVIDER_COLUMNS=Kakao=kakao_id:number, Naver = naver_id", "SSO_SQLITE_JOURNAL=delete",
		"SSO_USER_ID_ATTRIBUTE=custom:row", "SSO_ALLOW_NATIVE_SIGN_UP=true", "SSO_ALLOW_MISSING_USER_ID=true", "SSO_USER_ID_SOURCE=store", "SSO_REFUSE_MISMATCH=true",
		"SSO_ALLOWED_EMAIL_DOMAINS=ssu.ac.kr,soongsil.ac.kr", "SSO_EMAIL_DOMAIN_EXEMPT=Kakao", "SSO_ALLOW_UNVERIFIED_EMAIL_DOMAIN=true", "SSO_LANGUAGE=ko",
		"SSO_SEND_TIMEOUT=300ms", "SSO_ATTRIBUTE_TIMEOUT=1s", "SSO_DEADLINE=3s", "SSO_DEADLNE=1s", "SSO_ANOTHER=x"))
	c := read(r)
	if r.Err() != nil {
		t.Fatal(r.Err())
	}
	want := lambda.Config{
		Providers: []string{"Kakao", "Naver"}, UserIDAttribute: "custom:row", AllowNativeSignUp: true, AllowMissingUserID: true,
		UserIDSource: lambda.AlwaysStore, RefuseMismatch: true, AllowedEmailDomains: []string{"ssu.ac.kr", "soongsil.ac.kr"}, EmailDomainExempt: []string{"Kakao"},
		AllowUnverifiedEmailDomain: true, SendTimeout: 300 * time.Millisecond, AttributeTimeout: time.Second, Deadline: 3 * time.Second, Texts: lambda.KoreanTexts(),
	}
	if !reflect.DeepEqual(c.triggers, want) {
		t.Errorf("triggers = %+v", c.triggers)
	}
	if !reflect.DeepEqual(c.store.Table.Providers, map[string]table.ProviderColumn{"Kakao": {Name: "kakao_id", Type: table.SubjectNumber}, "Naver": {Name: "naver_id"}}) || c.store.Journal != "DELETE" {
		t.Errorf("store = %+v", c.store)
	}
	if !reflect.DeepEqual(r.Unknown(), []string{"SSO_ANOTHER", "SSO_DEADLNE"}) {
		t.Errorf("unknown %v", r.Unknown())
	}
}

func TestSettingsErrors(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		env  []string
		want []string // all at once
	}{
		"nothing set": {nil, []string{"SSO_PROVIDERS: ", "SSO_DBSYNC_FUNCTION: required", "SSO_SIGNIN_QUEUE_URL: required"}},
		"everything wrong": {[]string{"SSO_STORE=sqlite", "SSO_PROVIDERS=Kakao,kakao", "SSO_SIGNIN_QUEUE_URL=sign-ins", "SSO_PROVIDER_COLUMNS=Kakao,Google=a,Google=b,Naver=x y",
			"SSO_SQLITE_JOURNAL=OFF", "SSO_USER_ID_ATTRIBUTE=userId", "SSO_ALLOW_NATIVE_SIGN_UP=yes", "SSO_ALLOW_MISSING_USER_ID=1", "SSO_USER_ID_SOURCE=token",
			"SSO_REFUSE_MISMATCH=true", "SSO_ALLOWED_EMAIL_DOMAINS=@ssu", "SSO_EMAIL_DOMAIN_EXEMPT=Naver", "SSO_ALLOW_UNVERIFIED_EMAIL_DOMAIN=x", "SSO_LANGUAGE=fr",
			"SSO_SEND_TIMEOUT=5", "SSO_ATTRIBUTE_TIMEOUT=6s", "SSO_DEADLINE=9s"},
			[]string{"SSO_SQLITE_PATH: ", "SSO_SIGNIN_QUEUE_URL: ", "SSO_PROVIDER_COLUMNS: ", "SSO_ALLOW_NATIVE_SIGN_UP: ", "SSO_ALLOW_MISSING_USER_ID: ",
				"SSO_SEND_TIMEOUT: ", "SSO_SQLITE_JOURNAL: ", `"x y"`, "SSO_PROVIDERS: ", "SSO_USER_ID_ATTRIBUTE: ", "SSO_DEADLINE: ", "SSO_USER_ID_SOURCE: ", "SSO_REFUSE_MISMATCH: ",
				"SSO_ALLOWED_EMAIL_DOMAINS: ", "SSO_EMAIL_DOMAIN_EXEMPT: ", "SSO_ALLOW_UNVERIFIED_EMAIL_DOMAIN: ", "SSO_LANGUAGE: ", "SSO_ATTRIBUTE_TIMEOUT: "}},
		"an empty provider":              {with("SSO_PROVIDERS=Kakao,,Google"), []string{"SSO_PROVIDERS: "}},
		"a negative time":                {with("SSO_DEADLINE=-1s"), []string{"SSO_DEADLINE: "}},
		"blank is missing":               {with("SSO_PROVIDERS=  "), []string{"SSO_PROVIDERS: "}},
		"a database, and no way into it": {with("SSO_STORE=postgres"), []string{"SSO_DB_HOST: ", "SSO_DB_NAME: ", "SSO_DB_USER: "}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := settings.NewReader(tc.env)
			read(r)
			if r.Err() == nil {
				t.Fatal("no error")
			}
			for _, w := range tc.want {
				if !strings.Contains(r.Err().Error(), w) {
					t.Errorf("the error does not name %s:\n%v", w, r.Err())
				}
			}
		})
	}
}

// What is wrong with AWS's variables is told together with the rest.
func TestSettingsAndAWS(t *testing.T) {
	t.Setenv("AWS_REGION", "")
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	_, err := setUp(context.Background(), settings.NewReader([]string{"SSO_METRICS_NAMESPACE=AWS/Lambda"}), slog.New(slog.DiscardHandler))
	if err == nil {
		t.Fatal("no error")
	}
	for _, w := range []string{"SSO_PROVIDERS: ", "SSO_METRICS_NAMESPACE: ", "AWS_REGION: ", "AWS_ACCESS_KEY_ID: "} {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("the error does not name %s:\n%v", w, err)
		}
	}
}
