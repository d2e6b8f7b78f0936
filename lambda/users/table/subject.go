package table

import (
	"fmt"
	"strconv"

	"github.com/ssu-itsupport/cognito-sso/lambda/users"
)

// CheckSubject reports with users.ErrInvalid a subject that the column cannot
// hold: a column of numbers would take "042" for 42, who is somebody else. A
// provider without a column takes any.
func (c Config) CheckSubject(id users.Identity) error {
	if c.Providers[id.Provider].Type == SubjectNumber && !canonicalNumber(id.Subject) {
		return fmt.Errorf("%w: the column of the provider holds numbers", users.ErrInvalid)
	}
	return nil
}

func canonicalNumber(s string) bool {
	n, err := strconv.ParseInt(s, 10, 64)
	return err == nil && strconv.FormatInt(n, 10) == s
}
