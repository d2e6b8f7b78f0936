// Package parameters checks the parameters of a deployment before anything is
// uploaded: by the templates' own rules, and for networks that overlap, of which
// a template can say nothing.
package parameters

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"

	"github.com/ssu-itsupport/cognito-sso/lambda/deploy/internal/template"
)

// Errors of Check.
var (
	// ErrInput is text that is no list of parameters.
	ErrInput = errors.New(`not a list of {"ParameterKey": …, "ParameterValue": …}`)
	// ErrOverlap is a VpcCidr that shares addresses with another network.
	ErrOverlap = errors.New("networks overlap")
)

// Check reads parameters of main.yaml in the form of the AWS command line, and
// works the stack out with them. taken are networks that are in use: those of
// the database's VPC, and of all that is peered with it. Errors of the templates
// are those of package template.
func Check(set template.Set, r io.Reader, where template.Where, taken ...netip.Prefix) error {
	given, err := read(r)
	if err != nil {
		return err
	}
	main, err := template.Evaluate(set, "main", given, where)
	if err != nil {
		return err
	}
	if main.Parameters["VpcId"] != "" {
		return nil // no network is made
	}
	return apart(main.Parameters, taken)
}

func read(r io.Reader) (map[string]string, error) {
	var list []struct{ ParameterKey, ParameterValue *string }
	if err := json.NewDecoder(r).Decode(&list); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInput, err)
	}
	out := map[string]string{}
	for _, p := range list {
		if p.ParameterKey == nil || p.ParameterValue == nil {
			return nil, ErrInput
		}
		if _, twice := out[*p.ParameterKey]; twice {
			return nil, fmt.Errorf("%w: %s is there twice", ErrInput, *p.ParameterKey)
		}
		out[*p.ParameterKey] = *p.ParameterValue
	}
	return out, nil
}

// apart: the VPC that is made shares no address with the database's subnets,
// nor with what is taken.
func apart(parameters map[string]any, taken []netip.Prefix) error {
	made, err := netip.ParsePrefix(fmt.Sprint(parameters["VpcCidr"]))
	if err != nil {
		return fmt.Errorf("%w: VpcCidr: %w", template.ErrParameter, err)
	}
	var errs []error
	for _, name := range []string{"DatabaseSubnetCidrA", "DatabaseSubnetCidrB", "DatabaseSubnetCidrC"} {
		v := fmt.Sprint(parameters[name])
		if v == "" {
			continue
		}
		p, err := netip.ParsePrefix(v)
		if err != nil || p != p.Masked() {
			errs = append(errs, fmt.Errorf("%w: %s: %q is no network", template.ErrParameter, name, v))
			continue
		}
		taken = append(taken, p)
	}
	for _, p := range taken {
		if made.Overlaps(p) {
			errs = append(errs, fmt.Errorf("%w: VpcCidr %v and %v", ErrOverlap, made, p))
		}
	}
	return errors.Join(errs...)
}
