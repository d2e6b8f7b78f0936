package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"github.com/ssu-itsupport/cognito-sso/internal/jose"
)

const (
	keysPath      = "/.well-known/jwks.json"
	discoveryPath = "/.well-known/openid-configuration"
	maxDocument   = 1 << 20
)

func (r *run) checkIssuer(ctx context.Context) {
	r.more(2)
	updated := r.pool.IssuerConfiguration != nil && r.pool.IssuerConfiguration.Type == types.IssuerTypeUpdated
	if updated {
		r.add(IssuerUpdated, "", "The pool's issuer has the updated form.")
	}
	keys := r.JWKSURL
	if keys == "" {
		keys = r.issuer(updated) + keysPath
	}
	r.checkKeys(ctx, keys)
	if at, ok := strings.CutSuffix(keys, keysPath); ok {
		r.checkDiscovery(ctx, at+discoveryPath)
	}
}

// issuer is AWS's, in one of its two forms.
func (r *run) issuer(updated bool) string {
	host := "cognito-idp."
	if updated {
		host = "issuer-cognito-idp."
	}
	suffix := ".amazonaws.com/"
	if strings.HasPrefix(r.region(), "cn-") {
		suffix = ".amazonaws.com.cn/"
	}
	return "https://" + host + r.region() + suffix + r.UserPoolID
}

func (r *run) checkKeys(ctx context.Context, url string) {
	document, found := r.fetch(ctx, url)
	if found != "" {
		r.add(KeysUnreachable, "", found)
		return
	}
	if _, err := jose.ParseSet(document); err != nil {
		r.add(KeysUnusable, "", "The key set: "+err.Error()+".")
	}
}

func (r *run) checkDiscovery(ctx context.Context, url string) {
	document, found := r.fetch(ctx, url)
	if found != "" {
		r.add(DiscoveryBroken, "", found)
		return
	}
	var said struct {
		Issuer string `json:"issuer"`
	}
	if json.Unmarshal(document, &said) != nil || said.Issuer == "" {
		r.add(DiscoveryBroken, "", "The discovery document is not one.")
		return
	}
	if accepted := append([]string{r.issuer(false), r.issuer(true)}, r.Issuers...); !slices.Contains(accepted, said.Issuer) {
		r.add(IssuerOther, "", fmt.Sprintf("The pool says that its issuer is %s.", display(said.Issuer)))
	}
}

// fetch gets a document, or says why there is none.
func (r *run) fetch(ctx context.Context, url string) (document []byte, found string) {
	r.doing("GET " + url)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, "The address is not one."
	}
	resp, err := r.HTTPClient.Do(req)
	if err != nil {
		return nil, display(url) + " " + silence(err) + "."
	}
	defer resp.Body.Close() //nolint:errcheck // nothing depends on it
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Sprintf("%s answers with status %d.", display(url), resp.StatusCode)
	}
	document, err = io.ReadAll(io.LimitReader(resp.Body, maxDocument))
	if err != nil {
		return nil, display(url) + " breaks off its answer."
	}
	return document, ""
}

func silence(err error) string {
	var timeout interface{ Timeout() bool }
	if errors.As(err, &timeout) && timeout.Timeout() {
		return "does not answer in time"
	}
	return "cannot be reached"
}
