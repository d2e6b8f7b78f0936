package doctor

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
)

func (r *run) checkAttribute(context.Context) {
	name := r.UserIDAttribute
	a, ok := r.schema(name)
	if !ok {
		r.add(AttributeMissing, name, "The pool has no such attribute.", fmt.Sprintf(
			"aws cognito-idp add-custom-attributes --region %s --user-pool-id %s --custom-attributes 'Name=%s,AttributeDataType=String,Mutable=true,StringAttributeConstraints={MinLength=1,MaxLength=255}'",
			r.region(), r.UserPoolID, strings.TrimPrefix(name, "custom:")))
		return // nothing can be said of what is not there
	}
	r.checkSchema(a)
	for _, c := range r.clients {
		r.checkReadable(c)
		r.checkWritable(c)
	}
	for _, p := range r.providers {
		if claim, ok := p.AttributeMapping[name]; ok {
			r.add(AttributeMapped, aws.ToString(p.ProviderName), fmt.Sprintf("It is mapped to the provider's claim %s.", claim))
		}
	}
}

func (r *run) checkSchema(a types.SchemaAttributeType) {
	name := r.UserIDAttribute
	if !aws.ToBool(a.Mutable) {
		r.add(AttributeImmutable, name, "It is immutable.")
	}
	if a.AttributeDataType != types.AttributeDataTypeString {
		r.add(AttributeType, name, fmt.Sprintf("It is of type %s.", a.AttributeDataType))
		return
	}
	least, most := limits(a.StringAttributeConstraints)
	if least > 1 || most < r.IDLength {
		r.add(AttributeLength, name, fmt.Sprintf("It holds %d to %d characters; ids of the table have 1 to %d.", least, most, r.IDLength))
	}
}

// limits are the shortest and the longest text; AWS's own maximum is 2048.
func limits(c *types.StringAttributeConstraintsType) (least, most int) {
	most = 2048
	if c == nil {
		return 0, most
	}
	if n, err := strconv.Atoi(aws.ToString(c.MinLength)); err == nil {
		least = n
	}
	if n, err := strconv.Atoi(aws.ToString(c.MaxLength)); err == nil {
		most = n
	}
	return least, most
}

func (r *run) checkReadable(c client) {
	switch {
	case c.machine(): // it has no users
	case len(c.ReadAttributes) == 0:
		r.add(ReadUnset, c.id, "The client's read attributes are not set.")
	case !slices.Contains(c.ReadAttributes, r.UserIDAttribute):
		r.add(AttributeUnreadable, c.id, "The client may not read "+r.UserIDAttribute+".")
	}
}

// checkWritable looks at machines too: nothing keeps one from having users.
func (r *run) checkWritable(c client) {
	switch {
	case slices.Contains(c.WriteAttributes, r.UserIDAttribute):
		r.add(AttributeWritable, c.id, "The client's users may write "+r.UserIDAttribute+".")
	case len(c.WriteAttributes) == 0 && !c.machine():
		r.add(WriteUnset, c.id, "The client's write attributes are not set.")
	}
}
