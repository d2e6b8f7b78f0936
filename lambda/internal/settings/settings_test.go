package settings_test

import (
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/lambda/internal/settings"
	"github.com/ssu-itsupport/cognito-sso/lambda/users/table"
)

// names checks that the error has each of the words, and as many lines.
func names(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		if len(words) > 0 {
			t.Errorf("no error, want one about %s", words)
		}
		return
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != len(words) {
		t.Errorf("%d mistakes, want %d: %v", len(lines), len(words), err)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("the error does not say %q: %v", w, err)
		}
	}
}

func TestReader(t *testing.T) {
	t.Parallel()
	r := settings.NewReader([]string{"SSO_F=https://sqs.example.test/1/q", "SSO_LOG_LEVEL=Warn"})
	if r.QueueURL("SSO_F") != "https://sqs.example.test/1/q" || r.LogLevel() != slog.LevelWarn || settings.NewReader(nil).LogLevel() != slog.LevelInfo {
		t.Error("a value is not as it was set")
	}
	names(t, r.Err())
}

func TestReaderMistakes(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, value string
		want        bool // a mistake
	}{
		{"a name, not a URL", "sign-ins", true},
		{"an ARN, not a URL", "arn:aws:sqs:ap-northeast-2:1:q", true},
		{"no URL", "", true},
		{"another scheme", "ftp://x/q", true},
		{"a local queue", "http://127.0.0.1:1/q", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			r := settings.NewReader([]string{"SSO_X=" + row.value})
			r.QueueURL("SSO_X")
			if row.want {
				names(t, r.Err(), "SSO_X: ")
			} else {
				names(t, r.Err())
			}
		})
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	r := settings.NewReader([]string{
		"SSO_TABLE=school.students", "SSO_TABLE_ID=no", "SSO_TABLE_ID_TYPE=UUID", "SSO_TABLE_SUB=sub", "SSO_TABLE_EMAIL=mail", "SSO_TABLE_DISPLAY_NAME=-",
		"SSO_TABLE_LAST_LOGIN=seen", "SSO_TABLE_CREATED=-", "SSO_PROVIDER_COLUMNS= Kakao = kakao_id : Number , Naver=naver", "SSO_MOVED=refuse", "SSO_TABLE_MOVES=school.moves",
	})
	want := table.Config{
		Name: "school.students", ID: "no", IDType: table.UUID, Sub: "sub", Email: "mail", DisplayName: table.None, LastLogin: "seen", Created: table.None,
		Providers: map[string]table.ProviderColumn{"Kakao": {Name: "kakao_id", Type: table.SubjectNumber}, "Naver": {Name: "naver"}},
		Moved:     table.Refuse, Moves: "school.moves",
	}
	if got := r.Table(); !reflect.DeepEqual(got, want) || r.Err() != nil || r.Unknown() != nil {
		t.Errorf("table = %+v, %v, %v", got, r.Err(), r.Unknown())
	}
	r = settings.NewReader(nil)
	if got := r.Table(); !reflect.DeepEqual(got, table.Config{}) || r.Err() != nil {
		t.Errorf("table = %+v, %v", got, r.Err())
	}
	r = settings.NewReader([]string{"SSO_PROVIDER_COLUMNS=-"})
	if got := r.Table(); got.Providers == nil || len(got.Providers) != 0 || r.Err() != nil {
		t.Errorf("table = %+v, %v", got, r.Err())
	}
}

func TestTableMistakes(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		env  []string
		want []string
	}{
		{"names that are none", []string{"SSO_TABLE=a b", "SSO_TABLE_ID=1", "SSO_TABLE_SUB=-", "SSO_TABLE_EMAIL=e;", "SSO_TABLE_MOVES=.x"},
			[]string{"SSO_TABLE: ", "SSO_TABLE_ID: ", "SSO_TABLE_SUB: ", "SSO_TABLE_EMAIL: ", "SSO_TABLE_MOVES: "}},
		{"words that are none", []string{"SSO_TABLE_ID_TYPE=serial", "SSO_MOVED=maybe"}, []string{"SSO_TABLE_ID_TYPE: ", "SSO_MOVED: "}},
		{"a column twice", []string{"SSO_TABLE_EMAIL=name"}, []string{"SSO_TABLE_DISPLAY_NAME: "}},
		{"columns", []string{"SSO_PROVIDER_COLUMNS=Kakao,Naver=,=x,Google=g:,Apple=a:date,Apple=b,Line=x y"},
			[]string{`"Kakao"`, `"Naver="`, `"=x"`, `"Google=g:"`, `"Apple=b"`, `"date"`, `"x y"`}},
		{"none and one", []string{"SSO_PROVIDER_COLUMNS=-,Kakao=k"}, []string{`"-"`}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			r := settings.NewReader(row.env)
			r.Table()
			names(t, r.Err(), row.want...)
		})
	}
}

// Whatever the variable says, either it is refused or the columns are names of
// columns, and written down again they mean the same.
func FuzzProviderColumns(f *testing.F) {
	for _, seed := range []string{"-", "", "Kakao=kakao_id:number,Google=google_id", "a=b:text", "a=b,a=c", " a = b : number ", "a==b", "a=b:", ",", "a=b:c:d"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		r := settings.NewReader([]string{"SSO_PROVIDER_COLUMNS=" + value})
		c := r.Table()
		if r.Err() != nil {
			return
		}
		if err := c.Validate(); err != nil {
			t.Fatalf("%q passed, but %v", value, err)
		}
		if c.Providers == nil {
			return
		}
		items := []string{}
		for provider, column := range c.Complete().Providers {
			items = append(items, provider+"="+column.Name+":"+string(column.Type))
		}
		if len(items) == 0 {
			items = append(items, table.None)
		}
		again := settings.NewReader([]string{"SSO_PROVIDER_COLUMNS=" + strings.Join(items, ",")})
		if got := again.Table(); again.Err() != nil || !reflect.DeepEqual(got.Complete(), c.Complete()) {
			t.Fatalf("%q became %q: %+v, %v", value, items, got, again.Err())
		}
	})
}
