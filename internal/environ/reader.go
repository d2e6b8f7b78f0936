// Package environ takes settings out of environment variables. It notes every
// mistake and goes on, so that a program can name all of them at once.
package environ

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Reader takes variables out of an environment and notes what is wrong with
// them, without their values: a secret gets into a wrong variable easily.
// Surrounding spaces do not count, and a blank variable is one that is not set.
// It is for one goroutine.
type Reader struct {
	env  map[string]string
	used map[string]bool
	errs []error
}

// NewReader reads environ, which is of the form of os.Environ.
func NewReader(environ []string) *Reader {
	r := &Reader{env: map[string]string{}, used: map[string]bool{}}
	for _, kv := range environ {
		name, value, _ := strings.Cut(kv, "=")
		r.env[name] = value
	}
	return r
}

// Mistake is what is wrong with a variable.
type Mistake struct {
	Variable string // such as "SSO_USER_POOL_ID"
	Problem  string // what is wrong and what is expected, without the value
}

func (m *Mistake) Error() string { return m.Variable + ": " + m.Problem }

// Fail notes a mistake. nil is none.
func (r *Reader) Fail(err error) {
	if err != nil {
		r.errs = append(r.errs, err)
	}
}

// Failf notes a mistake of one variable.
func (r *Reader) Failf(name, format string, args ...any) {
	r.Fail(&Mistake{Variable: name, Problem: fmt.Sprintf(format, args...)})
}

// Err is every mistake so far, one a line, or nil.
func (r *Reader) Err() error { return errors.Join(r.errs...) }

// ErrAs is every mistake about one variable, each in the form that the caller's
// package gives it, or nil.
func (r *Reader) ErrAs(form func(variable, problem string) error) error {
	var errs []error
	for _, err := range r.errs {
		if m, ok := errors.AsType[*Mistake](err); ok {
			errs = append(errs, form(m.Variable, m.Problem))
		}
	}
	return errors.Join(errs...)
}

// Unknown are the variables that begin with SSO_ and that nothing has asked
// for: typing errors, or another function's.
func (r *Reader) Unknown() []string {
	var names []string
	for name := range r.env {
		if strings.HasPrefix(name, "SSO_") && !r.used[name] {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Text is the value of a variable, or "".
func (r *Reader) Text(name string) string { return strings.TrimSpace(r.Raw(name)) }

// Raw is the value with its spaces, as a password may have.
func (r *Reader) Raw(name string) string {
	r.used[name] = true
	return r.env[name]
}

// TextOrFile is the value of a variable, or what the file says that the
// variable with _FILE behind its name names, without a line break at its end;
// or "". So secrets come to a container in files.
func (r *Reader) TextOrFile(name string, readFile func(string) ([]byte, error)) string {
	value, path := r.Text(name), r.Text(name+"_FILE")
	switch {
	case path == "":
		return value
	case value != "":
		r.Failf(name+"_FILE", "is set beside %s; expected one of the two", name)
		return ""
	}
	content, err := readFile(path)
	if err != nil {
		r.Failf(name+"_FILE", "cannot be read: %v", cause(err))
		return ""
	}
	text := strings.TrimSuffix(strings.TrimSuffix(string(content), "\n"), "\r")
	if text == "" {
		r.Failf(name+"_FILE", "names an empty file")
	}
	return text
}

// cause is a file error without the path, which is a value.
func cause(err error) error {
	if at, ok := errors.AsType[*fs.PathError](err); ok {
		return at.Err
	}
	return err
}

// Required is the value of a variable that must be set.
func (r *Reader) Required(name string) string {
	v := r.Text(name)
	if v == "" {
		r.Failf(name, "required")
	}
	return v
}

// List is a list with commas, or nil.
func (r *Reader) List(name string) []string {
	v := r.Text(name)
	if v == "" {
		return nil
	}
	items := strings.Split(v, ",")
	for i := range items {
		items[i] = strings.TrimSpace(items[i])
	}
	return items
}

// RequiredList is a list that must be set.
func (r *Reader) RequiredList(name string) []string {
	r.Required(name)
	return r.List(name)
}

// Flag is true or false, which it defaults to.
func (r *Reader) Flag(name string) bool {
	return r.OneOf(name, "false", "true") == "true"
}

// OneOf is one of the values, whatever its case, or the first of them if the
// variable is not set.
func (r *Reader) OneOf(name string, values ...string) string {
	v := strings.ToLower(r.Text(name))
	switch {
	case v == "":
		return values[0]
	case !slices.Contains(values, v):
		r.Failf(name, "is none of %s", strings.Join(values, ", "))
		return values[0]
	}
	return v
}

// Duration is a length of time such as 500ms, more than none, or 0 if the
// variable is not set.
func (r *Reader) Duration(name string) time.Duration {
	v := r.Text(name)
	if v == "" {
		return 0
	}
	d, err := time.ParseDuration(v)
	if err != nil || d <= 0 {
		r.Failf(name, "is not a duration such as 500ms")
		return 0
	}
	return d
}

// Number is a whole number of at least 1, or 0 if the variable is not set.
func (r *Reader) Number(name string) int {
	v := r.Text(name)
	if v == "" {
		return 0
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 {
		r.Failf(name, "is not a whole number of at least 1")
		return 0
	}
	return n
}

// Explain notes the mistakes that a Validate found, each with the variable that
// sets the field it is about: variables is field → variable. What other
// mistakes say stays as it is.
func (r *Reader) Explain(err error, variables map[string]string) {
	for _, e := range flat(err) {
		if name := variableOf(e.Error(), variables); name != "" {
			e = fmt.Errorf("%s: %w", name, e)
		}
		r.Fail(e)
	}
}

// flat takes joined errors apart.
func flat(err error) []error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error }) //nolint:errorlint // this one, and not one that it wraps
	if !ok || errors.Join(joined.Unwrap()...).Error() != err.Error() {
		return []error{err} // one, or one that wraps several
	}
	var errs []error
	for _, e := range joined.Unwrap() {
		errs = append(errs, flat(e)...)
	}
	return errs
}

// variableOf finds the field that comes first in an error: "…: Host: required",
// "…: Providers[\"Kakao\"]: …".
func variableOf(text string, variables map[string]string) string {
	first, found := len(text), ""
	for field, name := range variables {
		for _, end := range []string{": ", "["} {
			if at := strings.Index(": "+text, ": "+field+end); at >= 0 && at < first {
				first, found = at, name
			}
		}
	}
	return found
}
