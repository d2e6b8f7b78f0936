package ssotest

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"html/template"
	"net/http"
)

//go:embed pages
var pageFiles embed.FS

var (
	style = mustRead("pages/style.css")

	loginPage   = page("login")
	standInPage = page("standin")
	messagePage = page("message")

	// pagePolicy lets a page have its own style sheet and nothing else. There is no form-action: browsers apply it
	// to the redirects after a form too, and those lead to apps.
	pagePolicy = "default-src 'none'; style-src 'sha256-" + hash(style) + "'; base-uri 'none'; frame-ancestors 'none'"
)

func mustRead(name string) string {
	text, err := pageFiles.ReadFile(name)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// page is the template of one page: the layout, with the page's own title and body.
func page(name string) *template.Template {
	t := template.New("layout.html").Funcs(template.FuncMap{"style": func() template.CSS { return template.CSS(style) }})
	return template.Must(t.ParseFS(pageFiles, "pages/layout.html", "pages/"+name+".html"))
}

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// show answers with a page.
func show(w http.ResponseWriter, status int, t *template.Template, data any) {
	var body bytes.Buffer
	if err := t.Execute(&body, data); err != nil {
		http.Error(w, "Internal Server Error", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html;charset=UTF-8")
	h.Set("Content-Security-Policy", pagePolicy)
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes())
}

// message is a page that says something.
type message struct {
	Title, Text, Code, ClientID, Hint string
}

func (h *hosted) showMessage(w http.ResponseWriter, status int, m message) {
	show(w, status, messagePage, m)
}
