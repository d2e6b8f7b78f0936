package doctor

import "slices"

// The findings. What each means for people is in docs/doctor.md.
const (
	NotAsked ID = "not_asked"

	PlanTooLow         ID = "plan_too_low"
	DeletionUnguarded  ID = "deletion_unguarded"
	SignUpOpen         ID = "sign_up_open"
	CaseSensitiveNames ID = "case_sensitive_names"
	EmailAlias         ID = "email_alias"
	RequiredAttribute  ID = "required_attribute"

	AttributeMissing    ID = "attribute_missing"
	AttributeImmutable  ID = "attribute_immutable"
	AttributeType       ID = "attribute_type"
	AttributeLength     ID = "attribute_length"
	AttributeUnreadable ID = "attribute_unreadable"
	AttributeWritable   ID = "attribute_writable"
	AttributeMapped     ID = "attribute_mapped"
	ReadUnset           ID = "read_attributes_unset"
	WriteUnset          ID = "write_attributes_unset"

	TriggerMissing      ID = "trigger_missing"
	TokenVersion        ID = "token_version"
	FunctionMissing     ID = "function_missing"
	FunctionNotReady    ID = "function_not_ready"
	FunctionTimeout     ID = "function_timeout"
	FunctionMemory      ID = "function_memory"
	PermissionMissing   ID = "permission_missing"
	PermissionWide      ID = "permission_wide"
	PermissionNoAccount ID = "permission_without_account"

	ProviderMissing     ID = "provider_missing"
	ProviderUnused      ID = "provider_unused"
	ProviderScopes      ID = "provider_scopes"
	KakaoType           ID = "kakao_type"
	KakaoIssuer         ID = "kakao_issuer"
	KakaoMethod         ID = "kakao_method"
	KakaoVerified       ID = "kakao_email_verified"
	GoogleVerified      ID = "google_email_verified"
	UsernameMapping     ID = "username_mapping"
	ClaimCase           ID = "claim_case"
	MappedMissing       ID = "mapped_attribute_missing"
	MappedImmutable     ID = "mapped_attribute_immutable"
	MappedNotWritable   ID = "mapped_attribute_unwritable"
	ClientMissing       ID = "client_missing"
	ClientNoProvider    ID = "client_without_provider"
	ImplicitFlow        ID = "implicit_flow"
	CodeFlowMissing     ID = "code_flow_missing"
	OpenIDMissing       ID = "openid_missing"
	ProfileMissing      ID = "profile_scope_missing"
	AdminScope          ID = "admin_scope"
	PasswordFlow        ID = "password_flow"
	PublicClient        ID = "public_client"
	PublicNoRotation    ID = "public_client_without_rotation"
	RotationNoGrace     ID = "rotation_without_grace"
	UserExistence       ID = "user_existence_shown"
	RevocationOff       ID = "revocation_off"
	AccessTokenLong     ID = "token_lifetime"
	RefreshTokenLong    ID = "refresh_token_lifetime"
	URLMissing          ID = "url_missing"
	URLMalformed        ID = "url_malformed"
	URLInsecure         ID = "url_insecure"
	URLWildcard         ID = "url_wildcard"
	URLForeign          ID = "url_foreign"
	URLLocalhost        ID = "url_localhost"
	DomainMissing       ID = "domain_missing"
	DomainNotActive     ID = "domain_not_active"
	BrandingMissing     ID = "branding_missing"
	KeysUnreachable     ID = "keys_unreachable"
	KeysUnusable        ID = "keys_unusable"
	DiscoveryBroken     ID = "discovery_unreadable"
	IssuerOther         ID = "issuer_other"
	IssuerUpdated       ID = "issuer_updated"
	QueueMissing        ID = "queue_missing"
	QueueUnencrypted    ID = "queue_unencrypted"
	QueuePublic         ID = "queue_public"
	QueueNoRedrive      ID = "queue_without_redrive"
	QueueReceives       ID = "queue_max_receives"
	QueueVisibility     ID = "queue_visibility"
	QueueBacklog        ID = "queue_backlog"
	DeadLetters         ID = "dead_letters"
	DeadQueueMissing    ID = "dead_letter_queue_missing"
	DeadQueueRetention  ID = "dead_letter_retention"
	ConsumerMissing     ID = "consumer_missing"
	ConsumerDisabled    ID = "consumer_disabled"
	ConsumerWholeBatch  ID = "consumer_whole_batch"
	ConsumerConcurrency ID = "consumer_concurrency"
	TableBlocked        ID = "table_blocked"
	TableIncomplete     ID = "table_incomplete"
	TableDrift          ID = "table_drift"
)

// kind is what is the same in every finding of an ID.
type kind struct {
	id       ID
	subject  Subject
	severity Severity
	why, fix string
	template string
}

// IDs are all findings that there can be, in the order of a report.
func IDs() []ID {
	ids := make([]ID, len(catalog))
	for i, k := range catalog {
		ids[i] = k.id
	}
	return ids
}

// SeverityOf is the severity of findings with this id, "" for an unknown one.
func SeverityOf(id ID) Severity { return kindOf(id).severity }

func kindOf(id ID) kind {
	if i := slices.IndexFunc(catalog, func(k kind) bool { return k.id == id }); i >= 0 {
		return catalog[i]
	}
	return kind{}
}

var catalog = slices.Concat(ofPool, ofAttribute, ofTriggers, ofProviders, ofClients, ofURLs, ofDomain, ofIssuer, ofQueue, ofTable)

// NotAsked takes its subject from what could not be asked.
var ofPool = []kind{
	{NotAsked, Pool, Unknown, "What could not be seen may be wrong: the checks that need it were left out.",
		"Let whoever runs this make the call (ssoctl doctor --print-policy shows all it needs), and run it again.", ""},
	{PlanTooLow, Pool, Error, "On the plan Lite only ID tokens can get the claim, by version V1_0 of the token trigger; access tokens have no userId then.",
		"Take the plan Essentials or Plus, or want the claim in ID tokens only (--id-token-only, and V1_0).", "main.yaml: FeaturePlan"},
	{DeletionUnguarded, Pool, Warning, "A pool that is deleted loses every user's sub, and with it the tie to every row.",
		"Switch deletion protection on.", "identity.yaml: UserPool.DeletionProtection"},
	{SignUpOpen, Pool, Warning, "No client lets people in by a password, yet anybody can call SignUp; only the PreSignUp trigger stands in the way.",
		"Allow administrators only to create users; people of identity providers are not touched by that.", "identity.yaml: UserPool.AdminCreateUserConfig"},
	{CaseSensitiveNames, Pool, Notice, "With usernames that people type, Hong and hong are two users; that cannot be changed in a pool.",
		"Make the next pool with case-insensitive usernames; in this one, never take a username for an identity.", "identity.yaml: UserPool.UsernameConfiguration"},
	{EmailAlias, Pool, Warning, "An email as alias or username can move from one user to another, so it ties a sign-in to the wrong person.",
		"Make the next pool without email aliases: people are told apart by provider and id. It cannot be changed in this one.", "identity.yaml: UserPool (no AliasAttributes, no UsernameAttributes)"},
	{RequiredAttribute, Pool, Error, "Who does not share the attribute with Kakao or Google cannot sign in, and requirements cannot be changed in a pool.",
		"Make a new pool in which no attribute is required.", "identity.yaml: UserPool.Schema"},
}

var ofAttribute = []kind{
	{AttributeMissing, Attribute, Error, "Without it the row's id cannot be kept at the user, so every sign-in needs the database.",
		"Add the custom attribute: a mutable text.", "identity.yaml: UserPool.Schema"},
	{AttributeImmutable, Attribute, Error, "The trigger writes it after the user is there, which an immutable attribute refuses; that cannot be changed.",
		"Add another, mutable attribute, and set SSO_USER_ID_ATTRIBUTE of the functions and the apps to it.", "identity.yaml: UserPool.Schema"},
	{AttributeType, Attribute, Error, "Ids are written and read as text; another type refuses some of them, and cannot be changed.",
		"Add another attribute of type String, and set SSO_USER_ID_ATTRIBUTE of the functions and the apps to it.", "identity.yaml: UserPool.Schema"},
	{AttributeLength, Attribute, Error, "An id that does not fit is refused when it is written, for the user who happens to have it.",
		"Add another attribute with room for every id of the table, and set SSO_USER_ID_ATTRIBUTE to it; the length cannot be changed.", "identity.yaml: UserPool.Schema"},
	{AttributeUnreadable, Attribute, Error, "What a client may not read is not in its ID tokens.",
		"Add the attribute to the client's read attributes.", "client.yaml: Client.ReadAttributes"},
	{AttributeWritable, Attribute, Error, "A user can give himself somebody else's id with his own access token, and the tokens of all clients carry it.",
		"Take the attribute out of this client's write attributes; then run ssoctl reconcile, which finds ids that are somebody else's.", "client.yaml: Client.WriteAttributes"},
	{AttributeMapped, Attribute, Error, "At each sign-in Cognito overwrites the id with what the identity provider says.",
		"Take the attribute out of the provider's attribute mapping; then run ssoctl reconcile.", "identity.yaml: AttributeMapping of the provider"},
	{ReadUnset, Attribute, Warning, "AWS's own pages disagree on what a client may read when nothing is said; the claim may be missing.",
		"Set the client's read attributes explicitly, the user id attribute among them.", "client.yaml: Client.ReadAttributes"},
	{WriteUnset, Attribute, Warning, "AWS's own pages disagree on what a client may write when nothing is said; custom attributes may be among it.",
		"Set the client's write attributes explicitly, to those that identity providers are mapped to.", "client.yaml: Client.WriteAttributes"},
}

var ofTriggers = []kind{
	{TriggerMissing, Triggers, Error, "Nobody does that trigger's part: new users get no row (PostConfirmation), tokens no id (PreTokenGeneration), anybody may sign up (PreSignUp), sign-ins are not recorded (PostAuthentication).",
		"Attach the function again by the template: an update of the pool that leaves one trigger out takes it away.", "identity.yaml: UserPool.LambdaConfig"},
	{TokenVersion, Triggers, Error, "Version V1_0 of the token trigger cannot change access tokens, so APIs see no userId.",
		"Attach the token trigger as version V2_0, or want the claim in ID tokens only (--id-token-only).", "identity.yaml: UserPool.LambdaConfig.PreTokenGenerationConfig"},
	{FunctionMissing, Triggers, Error, "Cognito calls a function that is not there, and refuses the sign-in.",
		"Deploy the function, or attach the right one.", "functions.yaml: Trigger"},
	{FunctionNotReady, Triggers, Error, "A function that is inactive or failed fails its next call, which Cognito does not repeat: that sign-in is lost.",
		"Call the function once, see why its state is so, and see that its warm-up schedule runs.", "functions.yaml: warm-up schedule"},
	{FunctionTimeout, Triggers, Warning, "Cognito waits for 5 seconds and then calls again, while the first run is still at work.",
		"Give the function a timeout of 4 seconds.", "functions.yaml: Trigger.Timeout"},
	{FunctionMemory, Triggers, Notice, "A function's share of CPU goes with its memory: with little, a cold start with TLS may take longer than Cognito waits.",
		"Give the function 512 MB.", "functions.yaml: MemorySize"},
	{PermissionMissing, Triggers, Error, "Cognito may not call the function, so every sign-in that needs it fails.",
		"Allow it to this pool.", "identity.yaml: TriggerPermission"},
	{PermissionWide, Triggers, Error, "Another user pool can call the function, and so make and move rows of the user table.",
		"Bind the permission to this pool's ARN and account, and remove the wide one (aws lambda remove-permission with its statement id).", "identity.yaml: TriggerPermission"},
	{PermissionNoAccount, Triggers, Warning, "The account is in the pool's ARN too; AWS asks for both conditions, so that neither is changed unseen.",
		"Add the source account to the permission.", "identity.yaml: TriggerPermission.SourceAccount"},
}

var ofProviders = []kind{
	{ProviderMissing, Providers, Error, "Nobody can sign in by it; names are exact, and are part of usernames and identities.",
		"Add the provider under exactly this name, or correct SSO_PROVIDERS.", "identity.yaml: the provider"},
	{ProviderUnused, Providers, Notice, "No client that was looked at lets people sign in by it.",
		"Add it to a client's identity providers, or remove it.", "client.yaml: Providers"},
	{ProviderScopes, Providers, Error, "Without openid the provider gives no ID token, and Cognito refuses the sign-in; scopes are separated by spaces.",
		"Set the provider's scopes to openid and what else is wanted, with spaces in between.", "main.yaml: KakaoScopes"},
	{KakaoType, Providers, Error, "Kakao works as an OpenID Connect provider only.",
		"Add Kakao as a provider of type OIDC.", "identity.yaml: Kakao.ProviderType"},
	{KakaoIssuer, Providers, Error, "The iss of Kakao's ID tokens is https://kauth.kakao.com without a slash at the end; with any other Cognito refuses the sign-in.",
		"Set the issuer to https://kauth.kakao.com.", "identity.yaml: Kakao.ProviderDetails.oidc_issuer"},
	{KakaoMethod, Providers, Error, "Kakao's userinfo answers GET.",
		"Set the attributes request method to GET.", "identity.yaml: Kakao.ProviderDetails.attributes_request_method"},
	{KakaoVerified, Providers, Warning, "Kakao's OpenID Connect says nothing about an email being verified, so an address would count for more than it is worth.",
		"Take email_verified out of Kakao's attribute mapping.", "identity.yaml: Kakao.AttributeMapping"},
	{GoogleVerified, Providers, Warning, "Unless it is mapped, Cognito says of every Google address that it is not verified.",
		"Map email_verified to email_verified.", "identity.yaml: Google.AttributeMapping"},
	{UsernameMapping, Providers, Error, "Who somebody is at the provider must be the provider's sub: another claim can change, or be chosen by the user.",
		"Map username to sub, or leave it out, which is the same.", "identity.yaml: AttributeMapping of the provider"},
	{ClaimCase, Providers, Error, "Names of claims are case-sensitive: nothing arrives from a claim that is misspelt.",
		"Write the claim as the provider does.", "identity.yaml: AttributeMapping of the provider"},
	{MappedMissing, Providers, Error, "An attribute that the pool does not have cannot be written at a sign-in.",
		"Take it out of the mapping, or add the attribute.", "identity.yaml: AttributeMapping of the provider"},
	{MappedImmutable, Providers, Error, "Cognito writes mapped attributes at each sign-in: the second one of everybody fails.",
		"Take it out of the mapping; that an attribute is immutable cannot be changed.", "identity.yaml: AttributeMapping of the provider"},
	{MappedNotWritable, Providers, Error, "AWS's own pages disagree: the sign-in fails, or the value never arrives.",
		"Add the mapped attribute to the client's write attributes.", "client.yaml: Client.WriteAttributes"},
}

var ofClients = []kind{
	{ClientMissing, Clients, Error, "An app with this client id cannot sign anybody in.",
		"Correct the client id, or make the client.", "client.yaml"},
	{ClientNoProvider, Clients, Error, "Nobody can sign in to this client.",
		"Set the client's identity providers.", "client.yaml: Providers"},
	{ImplicitFlow, Clients, Error, "Tokens come in the address, where history, logs and other sites find them, and no secret or PKCE protects them.",
		"Allow the code flow only.", "client.yaml: Client.AllowedOAuthFlows"},
	{CodeFlowMissing, Clients, Error, "Apps sign people in by the code flow with PKCE; without it they are answered unauthorized_client.",
		"Allow the code flow, and switch OAuth on for the client.", "client.yaml: Client.AllowedOAuthFlows, AllowedOAuthFlowsUserPoolClient"},
	{OpenIDMissing, Clients, Error, "Without openid there is no ID token, and so no sign-in to a web app.",
		"Add the scope openid.", "client.yaml: Client.AllowedOAuthScopes"},
	{ProfileMissing, Clients, Warning, "A sign-in with openid and email, without profile, gives the email only: attributes such as the user id are left out.",
		"Add the scope profile.", "client.yaml: Client.AllowedOAuthScopes"},
	{AdminScope, Clients, Warning, "With aws.cognito.signin.user.admin a person's own access token can change attributes; one writable attribute is enough for harm.",
		"Take the scope out, unless the app calls Cognito's API in its users' names.", "client.yaml: Client.AllowedOAuthScopes"},
	{PasswordFlow, Clients, Warning, "Sign-in by password works at the API though it is in none of the client's pages: leaving COGNITO out does not stop it.",
		"Allow ALLOW_REFRESH_TOKEN_AUTH only; where refresh tokens rotate, beside which Cognito refuses that, ALLOW_ADMIN_USER_PASSWORD_AUTH only.", "client.yaml: Client.ExplicitAuthFlows"},
	{PublicClient, Clients, Notice, "Who has the client id can act as the app; that is right for an app on people's own machines, and never for one with a server.",
		"Make a client with a secret for an app with a server; a secret cannot be added to one that was made without.", "client.yaml: Confidential"},
	{PublicNoRotation, Clients, Warning, "A stolen refresh token of a client without a secret works for anybody until it expires.",
		"Switch refresh token rotation on, and allow ALLOW_ADMIN_USER_PASSWORD_AUTH in place of ALLOW_REFRESH_TOKEN_AUTH, which Cognito refuses beside it.", "client.yaml: Client.RefreshTokenRotation"},
	{RotationNoGrace, Clients, Warning, "With a grace period of 0 an answer that is lost on its way, or two requests at once, log the person out.",
		"Set the grace period to 10 to 60 seconds.", "client.yaml: Client.RefreshTokenRotation"},
	{UserExistence, Clients, Warning, "Anybody can find out who has an account, by the errors.",
		"Set prevention of user existence errors to ENABLED.", "client.yaml: Client.PreventUserExistenceErrors"},
	{RevocationOff, Clients, Error, "Signing out cannot end a refresh token: a stolen one works until it expires.",
		"Switch token revocation on.", "client.yaml: Client.EnableTokenRevocation"},
	{AccessTokenLong, Clients, Warning, "Apps cannot see that a token was revoked, so that is how long somebody who lost access keeps it.",
		"Set access and ID tokens to 60 minutes at most.", "client.yaml: AccessTokenMinutes"},
	{RefreshTokenLong, Clients, Warning, "That is how long a stolen refresh token works, if nobody revokes it.",
		"Set refresh tokens to 90 days at most.", "client.yaml: RefreshTokenDays"},
}

var ofURLs = []kind{
	{URLMissing, URLs, Error, "Cognito takes exactly the URLs that are listed: the app's sign-in or sign-out ends on an error page.",
		"List the app's callback URL (its address and /auth/callback) and a logout URL below its address.", "client.yaml: CallbackUrls, LogoutUrls"},
	{URLMalformed, URLs, Error, "A URL that is not absolute, or has a fragment, a user, or a path with dots in it, is never what an app sends.",
		"Write the URL exactly as the app sends it.", "client.yaml: CallbackUrls, LogoutUrls"},
	{URLInsecure, URLs, Error, "Over http anybody on the way can take the code.",
		"Use https.", "client.yaml: CallbackUrls, LogoutUrls"},
	{URLWildcard, URLs, Error, "Cognito compares URLs exactly, so a wildcard matches nothing; elsewhere it would match an attacker's.",
		"List each URL.", "client.yaml: CallbackUrls, LogoutUrls"},
	{URLForeign, URLs, Warning, "Who has that address gets codes meant for this app, or sends people there after signing out.",
		"Remove the URL, or give that app a client of its own.", "client.yaml: CallbackUrls, LogoutUrls"},
	{URLLocalhost, URLs, Notice, "Any program on a person's machine can take the code there; that is meant for developers.",
		"Remove it from a client of a deployed app, and make a client for development.", "client.yaml: CallbackUrls, LogoutUrls"},
}

var ofDomain = []kind{
	{DomainMissing, Domain, Error, "Without a domain there are no sign-in pages, no token endpoint, and no way in by Kakao or Google.",
		"Give the pool a domain.", "main.yaml: DomainPrefix"},
	{DomainNotActive, Domain, Error, "The sign-in pages do not answer until the domain is active.",
		"Wait until it is made (a domain of your own takes up to an hour), or see why it failed.", "identity.yaml: Domain"},
	{BrandingMissing, Domain, Error, "With managed login version 2 a client without a branding shows an error instead of the sign-in page.",
		"Make a branding for the client.", "client.yaml: Branding"},
}

var ofIssuer = []kind{
	{KeysUnreachable, Issuer, Error, "Apps cannot get the keys, and so verify no token.",
		"See that the address answers from where the apps run; AWS serves it without credentials.", ""},
	{KeysUnusable, Issuer, Error, "Apps refuse a key set without one usable RSA key of 2048 bits or more for RS256.",
		"See what stands between here and AWS: Cognito's own key sets are well-formed.", ""},
	{DiscoveryBroken, Issuer, Error, "Other programs that trust the pool find its endpoints there.",
		"See that the address answers from where the apps run; AWS serves it without credentials.", ""},
	{IssuerOther, Issuer, Error, "Tokens carry that issuer, and apps accept exact ones only: every token is refused.",
		"Set SSO_ISSUERS of the apps to it if it is meant so, or the pool's issuer configuration back.", ""},
	{IssuerUpdated, Issuer, Notice, "The sso package accepts both forms of AWS's issuer; load balancers and API Gateway authorizers of AWS accept the original only.",
		"Nothing, unless something else verifies the pool's tokens.", ""},
}

var ofQueue = []kind{
	{QueueMissing, Queue, Error, "Sign-ins are recorded nowhere.",
		"Correct SSO_SIGNIN_QUEUE_URL, or deploy the queue.", "queue.yaml: Queue"},
	{QueueUnencrypted, Queue, Warning, "Subs and times of sign-ins lie in clear on AWS's disks.",
		"Switch server-side encryption on.", "queue.yaml: Queue.SqsManagedSseEnabled"},
	{QueuePublic, Queue, Error, "Anybody with an AWS account can put sign-ins into the queue, or take them out.",
		"Remove that statement from the queue's policy.", "queue.yaml: TLSOnly"},
	{QueueNoRedrive, Queue, Error, "A message that cannot be written comes again until it expires, in front of all others, and then is lost.",
		"Give the queue a dead-letter queue.", "queue.yaml: Queue.RedrivePolicy"},
	{QueueReceives, Queue, Warning, "Where the consumer is throttled or the database restarts, sign-ins are given up too early; AWS asks for 5 receives at least.",
		"Set maxReceiveCount to 5.", "queue.yaml: Queue.RedrivePolicy"},
	{QueueVisibility, Queue, Error, "Messages come again while they are still being written: AWS asks for six times the function's timeout, and the batching window.",
		"Set the visibility timeout to that.", "queue.yaml: Queue.VisibilityTimeout"},
	{QueueBacklog, Queue, Warning, "Sign-ins wait: the consumer is stopped, throttled, or cannot reach the database.",
		"Look at the consumer's log and errors.", ""},
	{DeadLetters, Queue, Error, "These sign-ins were tried several times and are not recorded; they expire.",
		"See why by ssoctl queue redrive and the consumer's log, mend that, and put the messages back with --apply.", ""},
	{DeadQueueMissing, Queue, Error, "What is given up has nowhere to go.",
		"Make the dead-letter queue, or correct the redrive policy.", "queue.yaml: DeadLetters"},
	{DeadQueueRetention, Queue, Warning, "The days count from the first sending, so that a dead letter may expire as soon as it is one.",
		"Let the dead-letter queue keep messages longer than the queue: 14 days.", "queue.yaml: DeadLetters.MessageRetentionPeriod"},
	{ConsumerMissing, Queue, Error, "Nobody reads the queue.",
		"Make the event source mapping from the queue to sso-signins.", "functions.yaml: event source mapping"},
	{ConsumerDisabled, Queue, Error, "Nobody reads the queue while the mapping is off.",
		"Switch the mapping on.", "functions.yaml: event source mapping"},
	{ConsumerWholeBatch, Queue, Error, "One message that cannot be written sends its whole batch back, and in the end to the dead letters.",
		"Let the mapping report failures of single messages.", "functions.yaml: FunctionResponseTypes"},
	{ConsumerConcurrency, Queue, Notice, "After a backlog many runs at once may take all connections of the database.",
		"Set the mapping's maximum concurrency, to 2 at first.", "functions.yaml: ScalingConfig"},
}

var ofTable = []kind{
	{TableBlocked, Table, Error, "The table holds what two people share, or columns of the wrong kind, so it cannot be completed.",
		"See ssoctl import-check, and let somebody decide about those rows.", ""},
	{TableIncomplete, Table, Error, "Without these columns and unique indexes sign-ups fail, or two rows become one person's.",
		"See ssoctl migrate, and run it with --apply.", ""},
	{TableDrift, Table, Error, "Users without a row, or with the id of another, sign in as nobody or as somebody else.",
		"See ssoctl reconcile, and run it with --apply.", ""},
}
