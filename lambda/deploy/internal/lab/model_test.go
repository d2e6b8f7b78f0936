package lab_test

import (
	"fmt"
	"maps"
	"testing"

	"github.com/ssu-itsupport/cognito-sso/lambda/deploy/internal/lab"
	"github.com/ssu-itsupport/cognito-sso/lambda/deploy/internal/network"
	"github.com/ssu-itsupport/cognito-sso/lambda/deploy/internal/variant"
)

// Every host of every variant tries every other one at every port, and the
// kernel must say what the model says: the checks of the templates stand on
// that model.
func TestModelIsRight(t *testing.T) {
	t.Parallel()
	needLab(t)
	f, err := variant.Read("../../variants.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range f.Names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := build(t, deployment(t, name, nil))
			w.listen(t)
			compare(t, w)
		})
	}
}

func compare(t *testing.T, w *world) {
	t.Helper()
	m := newModel(w)
	var probes []*probe
	for _, from := range w.All() {
		for _, to := range w.All() {
			for _, port := range ports {
				// What an attacker reaches is more than AWS would carry there.
				if from != to && (from.Member != lab.Attacker || to.Member != lab.Stranger) {
					probes = append(probes, &probe{from: from, to: to, port: port, open: m.open(from, to, port)})
				}
			}
		}
	}
	measure(t, probes)
	open := 0
	for _, p := range probes {
		if p.got != outcome(p.open) {
			t.Errorf("%s to %s:%d is %s, and the model says %s", p.from.Name(), p.to.Name(), p.port, p.got, outcome(p.open))
		}
		if p.got == lab.Open {
			open++
		}
	}
	if open == 0 || open == len(probes) {
		t.Errorf("%d of %d connections open", open, len(probes))
	}
	t.Logf("%d connections tried, %d open", len(probes), open)
}

// model is the network with a security group for strangers.
type model struct{ *network.Network }

func newModel(w *world) model {
	with := *w.n
	with.Groups = maps.Clone(with.Groups)
	everyone := []network.Rule{{Protocol: "-1", CIDR: everywhere}}
	for _, v := range w.n.VPCs {
		with.Groups["open in "+v.ID] = network.Group{ID: "open in " + v.ID, VPC: v.ID, Ingress: everyone, Egress: everyone}
	}
	return model{&with}
}

func (m model) member(h *lab.Host) network.Member {
	out := network.Member{Name: h.Name(), Groups: h.Groups}
	if h.Subnet != "" {
		out.Subnets = []string{h.Subnet}
	}
	if h.Member == lab.Stranger {
		out.Groups = []string{"open in " + m.Subnets[h.Subnet].VPC}
	}
	return out
}

func (m model) open(from, to *lab.Host, port int) bool {
	a, z := m.member(from), m.member(to)
	switch {
	case a.Outside():
		return z.Outside()
	case z.Outside():
		return m.exits(a, to, port)
	}
	v := m.Open(a, z, port)
	if v.Every != v.Some {
		panic(fmt.Sprintf("%s to %s: the model does not know", from.Name(), to.Name()))
	}
	return v.Every
}

// exits: one of the ways out is for this address and port.
func (m model) exits(a network.Member, to *lab.Host, port int) bool {
	for _, e := range m.Exits(a) {
		r := e.Rule
		if e.Route.Destination.Contains(to.Addr) && r.CIDR.Contains(to.Addr) && (r.Protocol == "-1" || r.Protocol == "tcp" && r.From <= port && port <= r.To) {
			return true
		}
	}
	return false
}
