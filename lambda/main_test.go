package lambda_test

import (
	"os"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/internal/secretscan"
)

// TestMain fails the package if a log, an error or a page of its tests holds a
// secret or an email address.
func TestMain(m *testing.M) { os.Exit(secretscan.Main(m)) }
