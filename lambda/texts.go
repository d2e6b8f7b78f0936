package lambda

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Reasons lists every [Reason] that has a text in Config.Texts.
func Reasons() []Reason {
	out := make([]Reason, 0, len(verdicts)+1)
	for _, v := range verdicts {
		out = append(out, v.reason)
	}
	return append(out, reasonOther)
}

// KoreanTexts is Config.Texts in Korean. The map is the caller's to change.
func KoreanTexts() map[Reason]string {
	const (
		misconfigured = "로그인 설정이 올바르지 않습니다. 관리자에게 문의해 주세요"
		contact       = "계정을 확인할 수 없습니다. 관리자에게 문의해 주세요"
		retry         = "계정 정보를 불러오지 못했습니다. 잠시 후 다시 시도해 주세요"
	)
	texts := map[Reason]string{
		"inbound_federation": "지원하지 않는 로그인 설정입니다. 관리자에게 문의해 주세요",
		"native_sign_up":     "비밀번호로는 가입할 수 없습니다. 제공되는 계정으로 로그인해 주세요",
		"provider":           "이 종류의 계정은 사용할 수 없습니다",
		"email_domain":       "이 기관의 인증된 이메일 주소가 있는 계정을 사용해 주세요",
		reasonOther:          retry,
	}
	same := map[string]string{textMisconfigured: misconfigured, textContact: contact, textRetry: retry}
	for _, v := range verdicts {
		if _, own := texts[v.reason]; !own {
			texts[v.reason] = same[v.text]
		}
	}
	return texts
}

// maxText keeps a text within a redirect's URL, where every Korean letter is
// nine characters.
const maxText = 300

func (c Config) validateTexts(m *mistakes) {
	known := Reasons()
	for reason, text := range c.Texts {
		switch {
		case !slices.Contains(known, reason):
			m.add("Texts", "%q is not a reason", reason)
		case strings.TrimSpace(text) == "" || !utf8.ValidString(text) || len(text) > maxText || strings.ContainsFunc(text, unicode.IsControl):
			m.add("Texts", "the text of %q is not one line of 1 to %d bytes", reason, maxText)
		case strings.HasSuffix(text, "."):
			m.add("Texts", "the text of %q ends with a full stop, and Cognito adds one", reason)
		}
	}
}
