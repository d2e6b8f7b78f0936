package middleware

// pageText is what a page says in one language.
type pageText struct {
	Title      string
	Paragraphs []string
	Action     string // on the button
}

var homeTexts = map[language]string{
	english: "Go to the start page",
	korean:  "첫 화면으로 가기",
}

var pageTexts = map[PageKind]map[language]pageText{
	PageLoggedOut: {
		english: {"You are signed out", []string{"You have signed out of this app and of the shared sign-in. On a shared computer, close the browser as well."}, "Sign in"},
		korean:  {"로그아웃되었습니다", []string{"이 앱과 통합 로그인에서 로그아웃되었습니다. 공용 컴퓨터에서는 브라우저도 닫아 주세요."}, "로그인"},
	},
	PageAgain: {
		english: {"Please sign in again", []string{
			"The sign-in could not be completed. It may have taken too long, or this page may have been opened twice.",
			"If this happens every time, allow cookies for this site.",
		}, "Sign in"},
		korean: {"다시 로그인해 주세요", []string{
			"로그인을 마치지 못했습니다. 시간이 너무 오래 걸렸거나 이 페이지가 두 번 열렸을 수 있습니다.",
			"계속 반복되면 이 사이트의 쿠키를 허용해 주세요.",
		}, "로그인"},
	},
	PageExpired: {
		english: {"Your sign-in has ended", []string{
			"What you sent was not saved yet.",
			"Sign in in a new tab. Then come back here and reload this page: it is sent again.",
		}, "Sign in in a new tab"},
		korean: {"로그인이 만료되었습니다", []string{
			"보낸 내용이 아직 저장되지 않았습니다.",
			"새 탭에서 로그인한 뒤 이 페이지로 돌아와 새로고침하면 다시 전송됩니다.",
		}, "새 탭에서 로그인"},
	},
	PageNotFresh: {
		english: {"Please sign in once more", []string{
			"This needs a sign-in of a moment ago. What you sent was not saved yet.",
			"Sign in in a new tab. Then come back here and reload this page: it is sent again.",
		}, "Sign in in a new tab"},
		korean: {"다시 한 번 로그인해 주세요", []string{
			"이 작업은 방금 로그인한 상태에서만 할 수 있습니다. 보낸 내용이 아직 저장되지 않았습니다.",
			"새 탭에서 로그인한 뒤 이 페이지로 돌아와 새로고침하면 다시 전송됩니다.",
		}, "새 탭에서 로그인"},
	},
	PageCancelled: {
		english: {"The sign-in was cancelled", []string{"You are not signed in."}, "Sign in"},
		korean:  {"로그인이 취소되었습니다", []string{"로그인되어 있지 않습니다."}, "로그인"},
	},
	PageRefused: {
		english: {"The sign-in was refused", []string{
			"You could not be signed in with this account.",
			"Try once more, or with another account. If it keeps failing, ask the people who run this app.",
		}, "Try again"},
		korean: {"로그인이 거절되었습니다", []string{
			"이 계정으로 로그인할 수 없습니다.",
			"한 번 더 시도하거나 다른 계정으로 로그인해 보세요. 계속 실패하면 앱 운영자에게 문의해 주세요.",
		}, "다시 시도"},
	},
	PageLoop: {
		english: {"Your browser does not stay signed in", []string{
			"You signed in more than once, but the sign-in did not last until the next page. So we stopped here instead of starting over again.",
			"Allow cookies for this site, check that the clock of this computer is right, and try again. If that does not help, ask the people who run this app.",
		}, "Try again"},
		korean: {"로그인 상태가 유지되지 않습니다", []string{
			"여러 번 로그인했지만 다음 페이지에서 로그인 상태가 유지되지 않았습니다. 같은 일을 되풀이하지 않도록 여기서 멈추었습니다.",
			"이 사이트의 쿠키를 허용하고 컴퓨터 시계가 맞는지 확인한 뒤 다시 시도해 주세요. 그래도 안 되면 앱 운영자에게 문의해 주세요.",
		}, "다시 시도"},
	},
	PageFreshLoop: {
		english: {"Your new sign-in is not enough", []string{
			"You signed in again, and this page still asks for a newer sign-in. So we stopped here instead of asking once more.",
			"Try again in a moment. If that does not help, tell the people who run this app; it is not your fault.",
		}, "Try again"},
		korean: {"새로 로그인했지만 계속할 수 없습니다", []string{
			"다시 로그인했지만 이 페이지가 여전히 새 로그인을 요구합니다. 같은 일을 되풀이하지 않도록 여기서 멈추었습니다.",
			"잠시 후 다시 시도해 주세요. 그래도 안 되면 사용자의 잘못이 아니니 앱 운영자에게 알려 주세요.",
		}, "다시 시도"},
	},
	PageLogout: {
		english: {"Sign out?", []string{"You are still signed in, if you were. Use the button to sign out."}, "Sign out"},
		korean:  {"로그아웃할까요?", []string{"아직 로그아웃되지 않았습니다. 로그아웃하려면 버튼을 눌러 주세요."}, "로그아웃"},
	},
	PageLogoutFailed: {
		english: {"You are not signed out yet", []string{"The sign-out could not be completed. Please try again in a moment."}, "Sign out"},
		korean:  {"아직 로그아웃되지 않았습니다", []string{"로그아웃을 마치지 못했습니다. 잠시 후 다시 시도해 주세요."}, "로그아웃"},
	},
	PageCrossOrigin: {
		english: {"You are not signed out", []string{"Another site tried to sign you out, so nothing was done. Use the button if you want to sign out."}, "Sign out"},
		korean:  {"로그아웃되지 않았습니다", []string{"다른 사이트에서 보낸 로그아웃 요청이어서 처리하지 않았습니다. 로그아웃하려면 버튼을 눌러 주세요."}, "로그아웃"},
	},
	PageOtherSite: {
		english: {"Nothing was changed", []string{"Another site sent this request, so nothing was done. If you meant to do it, use the app's own pages."}, ""},
		korean:  {"변경된 내용이 없습니다", []string{"다른 사이트에서 보낸 요청이어서 처리하지 않았습니다. 직접 하려던 일이라면 앱의 페이지에서 다시 해 주세요."}, ""},
	},
	PageChoose: {
		english: {"Sign in", []string{"How would you like to sign in?"}, ""},
		korean:  {"로그인", []string{"로그인 방법을 골라 주세요."}, ""},
	},
	PageForbidden: {
		english: {"You have no access to this page", []string{"You are signed in, but your account may not open this page."}, ""},
		korean:  {"이 페이지에 접근할 수 없습니다", []string{"로그인되어 있지만 이 계정으로는 이 페이지를 열 수 없습니다."}, ""},
	},
	PageUnavailable: {
		english: {"Please try again in a moment", []string{"The sign-in service cannot be reached right now."}, "Try again"},
		korean:  {"잠시 후 다시 시도해 주세요", []string{"지금은 로그인 서비스에 연결할 수 없습니다."}, "다시 시도"},
	},
	PageBadRequest: {
		english: {"This address does not work", []string{"The request was not understood. Please start from the app's own pages."}, ""},
		korean:  {"잘못된 주소입니다", []string{"요청을 이해하지 못했습니다. 앱의 페이지에서 다시 시작해 주세요."}, ""},
	},
	PageMethod: {
		english: {"This address does not work that way", []string{"Please start from the app's own pages."}, ""},
		korean:  {"잘못된 요청입니다", []string{"앱의 페이지에서 다시 시작해 주세요."}, ""},
	},
	PageNotFound: {
		english: {"There is no such page", []string{"Please start from the app's own pages."}, ""},
		korean:  {"페이지를 찾을 수 없습니다", []string{"앱의 페이지에서 다시 시작해 주세요."}, ""},
	},
	PageError: {
		english: {"Something is wrong with this app", []string{"You could not be signed in. It is not your fault; please tell the people who run this app."}, "Try again"},
		korean:  {"앱에 문제가 있습니다", []string{"로그인하지 못했습니다. 사용자의 잘못이 아니니 앱 운영자에게 알려 주세요."}, "다시 시도"},
	},
}
