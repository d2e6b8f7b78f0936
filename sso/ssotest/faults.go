package ssotest

import "time"

// JWKSFault is a way for the key server to fail.
type JWKSFault int

// The ways, and none.
const (
	JWKSOK        JWKSFault = iota
	JWKSDown                // answers 503
	JWKSHang                // does not answer until the request is cancelled or the fault is lifted
	JWKSEmpty               // {"keys":[]}
	JWKSHTML                // a 200 of HTML
	JWKSWrong               // other keys under the same key ids
	JWKSTruncated           // broken JSON
)

// Faults are the pool's switches, one per failure. Change them with SetFaults at any time.
type Faults struct {
	// JWKS breaks the key document; JWKSDelay delays it.
	JWKS      JWKSFault
	JWKSDelay time.Duration
	// TokenEndpoint makes /oauth2/token answer this OAuth error code with 400, or 5xx for TokenEndpointStatus.
	TokenEndpoint       string
	TokenEndpointStatus int
	// Throttle makes these API operations (such as "AdminUpdateUserAttributes"; "*" is all) answer TooManyRequestsException.
	Throttle map[string]bool
	// Quota is how many calls a second these operations ("*" is each of them) answer, as AWS's own quotas; those above it
	// get TooManyRequestsException. A second's worth may come at once.
	Quota map[string]int
	// APIError makes these operations answer this exception type.
	APIError map[string]string
	// TriggerTimeout makes attempts of these trigger sources ("*" is all) time out, without waiting: the function still runs, its answer is lost.
	TriggerTimeout map[string]int // how many attempts to lose; -1 is all
	// StaleFirstToken makes the first tokens of a new federated user, and their PreTokenGeneration event, of the attributes
	// from before PostConfirmation. Whether Cognito does so is documented nowhere.
	StaleFirstToken bool
	// TriggerError makes these trigger sources fail with this text, without being called.
	TriggerError map[string]string
	// UserInfo makes /oauth2/userInfo answer this status.
	UserInfo int
	// ClockSkew is added to the clock that stamps tokens, but not to the one that VerifierConfig hands out.
	ClockSkew time.Duration
}
