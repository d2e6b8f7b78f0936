package main

import (
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/lambda/users/sqlite"
)

var least = []string{
	"SSO_PROVIDERS=Kakao,Google", "SSO_SQLITE_PATH=/mnt/users.db",
	"SSO_SIGNIN_QUEUE_URL=https://sqs.ap-northeast-2.amazonaws.com/000000000000/sign-ins", "PATH=/bin", "AWS_REGION=ap-northeast-2",
}

func with(vars ...string) []string { return append(append([]string{}, least...), vars...) }

func TestSettingsLeast(t *testing.T) {
	t.Parallel()
	s, err := parseSettings(least)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(s.triggers.Providers, []string{"Kakao", "Google"}) || s.sqlitePath != "/mnt/users.db" ||
		s.triggers.AllowNativeSignUp || s.triggers.AllowMissingUserID || s.logLevel != slog.LevelInfo || len(s.unknown) != 0 {
		t.Errorf("settings = %+v", s)
	}
}

func TestSettingsAll(t *testing.T) {
	t.Parallel()
	s, err := parseSettings(with("SSO_PROVIDERS= Kakao , Naver ", "SSO_PROVIDER_COLUMNS=Kakao=kakao_id, Naver = naver_id", "SSO_SQLITE_JOURNAL=delete",
		"SSO_USER_ID_ATTRIBUTE=custom:row", "SSO_ALLOW_NATIVE_SIGN_UP=true", "SSO_ALLOW_MISSING_USER_ID=true",
		"SSO_SEND_TIMEOUT=300ms", "SSO_DEADLINE=3s", "SSO_LOG_LEVEL=WARN", "SSO_DEADLNE=1s", "SSO_ANOTHER=x"))
	if err != nil {
		t.Fatal(err)
	}
	c := s.triggers
	if !reflect.DeepEqual(c.Providers, []string{"Kakao", "Naver"}) || c.UserIDAttribute != "custom:row" || !c.AllowNativeSignUp ||
		!c.AllowMissingUserID || c.SendTimeout != 300*time.Millisecond || c.Deadline != 3*time.Second {
		t.Errorf("triggers = %+v", c)
	}
	if !reflect.DeepEqual(s.sqlite.Providers, map[string]string{"Kakao": "kakao_id", "Naver": "naver_id"}) || s.sqlite.Journal != sqlite.JournalDelete {
		t.Errorf("sqlite = %+v", s.sqlite)
	}
	if s.logLevel != slog.LevelWarn || !reflect.DeepEqual(s.unknown, []string{"SSO_ANOTHER", "SSO_DEADLNE"}) {
		t.Errorf("level %v, unknown %v", s.logLevel, s.unknown)
	}
}

func TestSettingsErrors(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		env  []string
		want []string // all at once
	}{
		"nothing set": {nil, []string{"SSO_PROVIDERS: required", "SSO_SQLITE_PATH: required", "SSO_SIGNIN_QUEUE_URL: required"}},
		"everything wrong": {[]string{"SSO_PROVIDERS=Kakao,kakao", "SSO_SIGNIN_QUEUE_URL=sign-ins", "SSO_PROVIDER_COLUMNS=Kakao,Google=a,Google=b,Naver=x y",
			"SSO_SQLITE_JOURNAL=OFF", "SSO_USER_ID_ATTRIBUTE=userId", "SSO_ALLOW_NATIVE_SIGN_UP=yes", "SSO_ALLOW_MISSING_USER_ID=1",
			"SSO_SEND_TIMEOUT=5", "SSO_DEADLINE=9s", "SSO_LOG_LEVEL=loud"},
			[]string{"SSO_SQLITE_PATH", "SSO_SIGNIN_QUEUE_URL", "SSO_PROVIDER_COLUMNS", "SSO_ALLOW_NATIVE_SIGN_UP", "SSO_ALLOW_MISSING_USER_ID",
				"SSO_SEND_TIMEOUT", "SSO_LOG_LEVEL", "Journal", `"x y"`, "Providers", "UserIDAttribute", "Deadline"}},
		"an empty provider": {with("SSO_PROVIDERS=Kakao,,Google"), []string{"Providers"}},
		"a negative time":   {with("SSO_DEADLINE=-1s"), []string{"SSO_DEADLINE"}},
		"blank is missing":  {with("SSO_PROVIDERS=  "), []string{"SSO_PROVIDERS: required"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := parseSettings(tc.env)
			if err == nil {
				t.Fatal("no error")
			}
			for _, w := range tc.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("the error does not name %s:\n%v", w, err)
				}
			}
			if strings.Contains(err.Error(), `"any"`) {
				t.Errorf("the error names a stand-in: %v", err)
			}
		})
	}
}
