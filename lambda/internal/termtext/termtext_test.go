package termtext_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"

	"github.com/ssu-itsupport/cognito-sso/lambda/internal/termtext"
)

// attacks are what terminals act on.
var attacks = map[string]string{
	"clear screen": "\x1b[2J", "window title": "\x1b]0;owned\x07", "C1 control": "\u009b2J", "carriage return": "good\rbad",
	"backspace": "a\bb", "delete": "\x7f", "right to left": "\u202egpj.exe", "isolate": "\u2066x\u2069", "zero width": "a\u200bb",
	"line separator": "a\u2028b", "new line": "a\nb", "tab": "a\tb", "tag": "\U000e0041", "bad UTF-8": "\xff\xfe", "NUL": "\x00",
}

func clean(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) })
}

func TestPrintable(t *testing.T) {
	t.Parallel()
	for name, text := range attacks {
		if got := termtext.Printable(text, 0); !clean(got) || strings.Contains(got, "\n") || got == "" {
			t.Errorf("%s: %q", name, got)
		}
	}
	for text, want := range map[string]string{"한글 이름": "한글 이름", `say "hi"`: `say "hi"`, "": "", "가나다": "가나다"} {
		if got := termtext.Printable(text, 9); got != want {
			t.Errorf("%q became %q", text, got)
		}
	}
	if got := termtext.Printable("가나다라", 2); got != "가나… (12 bytes)" {
		t.Errorf("cut: %q", got)
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	for name, text := range attacks {
		document, err := json.MarshalIndent(map[string]string{text: text}, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		got := termtext.JSON(document)
		var before, after map[string]string
		if json.Unmarshal(document, &before) != nil || json.Unmarshal(got, &after) != nil || !clean(string(got)) {
			t.Errorf("%s: %q", name, got)
		}
		for k, v := range before {
			if after[k] != v {
				t.Errorf("%s: means %q, want %q", name, after, before)
			}
		}
	}
}

func FuzzPrintable(f *testing.F) {
	for _, text := range attacks {
		f.Add(text, 3)
	}
	f.Fuzz(func(t *testing.T, s string, limit int) {
		if got := termtext.Printable(s, limit); !clean(got) || strings.Contains(got, "\n") {
			t.Errorf("%q", got)
		}
	})
}
