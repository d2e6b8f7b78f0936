package jose_test

import (
	"encoding/base64"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/internal/jose"
)

// The example of RFC 7515, appendix A.2: a key and an RS256 signature that
// neither this module nor its tests made. The key has no kid there.
const (
	rfc7515Key = `{"keys":[{"kid":"A.2","kty":"RSA","e":"AQAB","n":"` +
		`ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pC` +
		`gNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg6` +
		`65xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRW` +
		`yuXpoQ"}]}`
	rfc7515Input = `eyJhbGciOiJSUzI1NiJ9.` +
		`eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ`
	rfc7515Signature = `cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CU` +
		`Ar7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--x` +
		`i12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypG` +
		`lUPQGe77Rw`
)

func TestRFC7515Example(t *testing.T) {
	t.Parallel()
	set, err := jose.ParseSet([]byte(rfc7515Key))
	if err != nil {
		t.Fatal(err)
	}
	key, ok := set.Key("A.2")
	if !ok {
		t.Fatal("the key is not usable")
	}
	signature, err := base64.RawURLEncoding.DecodeString(rfc7515Signature)
	if err != nil {
		t.Fatal(err)
	}
	if err := key.Verify([]byte(rfc7515Input), signature); err != nil {
		t.Errorf("the example does not verify: %v", err)
	}
	for i := range rfc7515Input {
		changed := []byte(rfc7515Input)
		changed[i] ^= 1
		if key.Verify(changed, signature) == nil {
			t.Fatalf("verifies with byte %d of the signing input changed", i)
		}
	}
	for i := range signature {
		changed := append([]byte(nil), signature...)
		changed[i] ^= 1
		if key.Verify([]byte(rfc7515Input), changed) == nil {
			t.Fatalf("verifies with byte %d of the signature changed", i)
		}
	}
}
