package lab_test

import (
	"errors"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ssu-itsupport/cognito-sso/internal/realtest"
	"github.com/ssu-itsupport/cognito-sso/lambda/deploy/internal/lab"
	"github.com/ssu-itsupport/cognito-sso/lambda/deploy/internal/network"
	"github.com/ssu-itsupport/cognito-sso/lambda/deploy/internal/template"
	"github.com/ssu-itsupport/cognito-sso/lambda/deploy/internal/variant"
	"github.com/ssu-itsupport/cognito-sso/lambda/internal/functiontest"
)

func TestMain(m *testing.M) { functiontest.Main(m) }

// needLab skips where the machine gives no namespaces, whatever is required:
// nobody can install them. Where it does, missing programs are another matter.
func needLab(t *testing.T) {
	t.Helper()
	if why := lab.Allowed(t.Context()); why != nil && !missingProgram(why) {
		t.Skipf("no lab here: %v", why)
	}
	realtest.Need(t, "ip")
	realtest.Need(t, "nft")
}

// deployment is a variant with the templates as change leaves them.
func deployment(t *testing.T, name string, change func(template.Set)) *variant.Deployment {
	t.Helper()
	f, err := variant.Read("../../variants.yaml")
	if err != nil {
		t.Fatal(err)
	}
	set, err := template.Load("../../templates")
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(set)
	}
	d, err := f.Evaluate(set, name)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// world is a lab of a deployment.
type world struct {
	*lab.Lab
	d *variant.Deployment
	n *network.Network
}

func build(t *testing.T, d *variant.Deployment) *world {
	t.Helper()
	n, err := network.Build(d)
	if err != nil {
		t.Fatal(err)
	}
	return &world{start(t, n, natSubnets(d)), d, n}
}

func start(t *testing.T, n *network.Network, nat map[string]string) *lab.Lab {
	t.Helper()
	l, err := lab.New(t.Context(), lab.Config{Network: n, NATGateways: nat})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func natSubnets(d *variant.Deployment) map[string]string {
	out := map[string]string{}
	for _, r := range d.Of("AWS::EC2::NatGateway") {
		out[r.ID], _ = r.Properties["SubnetId"].(string)
	}
	return out
}

// ports are what everybody listens at, so that a connection that is refused
// never passes for one that is closed.
var ports = []int{22, 443, 3306, 3307, 5432, 5433, 9001}

func (w *world) listen(t *testing.T, except ...netip.AddrPort) {
	t.Helper()
	for _, h := range w.All() {
		for _, port := range ports {
			if slices.Contains(except, at(h, port)) {
				continue
			}
			l, err := h.Listen(port)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = l.Close() })
		}
	}
}

func at(h *lab.Host, port int) netip.AddrPort {
	return netip.AddrPortFrom(h.Addr, uint16(port))
}

// probe is one connection to try.
type probe struct {
	from, to *lab.Host
	port     int
	open     bool // what must become of it
	got      lab.Outcome
}

// patience is for a connection that must be closed. In the kernel one that
// opens does so before the call that asks for it is back.
const patience = 500 * time.Millisecond

// measure tries them all at once. One that must open and does not has more
// time: the machine may be busy.
func measure(t *testing.T, probes []*probe) {
	t.Helper()
	var wg sync.WaitGroup
	for _, p := range probes {
		wg.Go(func() { p.try(t) })
	}
	wg.Wait()
}

func (p *probe) try(t *testing.T) {
	wait := patience
	if p.open {
		wait = 10 * time.Second
	}
	var err error
	if p.got, err = p.from.Dial(at(p.to, p.port), wait); err != nil {
		t.Errorf("%s: %v", p.from.Name(), err)
	}
}

func outcome(open bool) lab.Outcome {
	if open {
		return lab.Open
	}
	return lab.Closed
}

func missingProgram(err error) bool { return errors.Is(err, exec.ErrNotFound) }

var everywhere = netip.MustParsePrefix("0.0.0.0/0")

// hosts are those of a member, in all of its subnets, or the one of a full name.
func (w *world) hosts(t *testing.T, name string) []*lab.Host {
	t.Helper()
	var out []*lab.Host
	for _, h := range w.All() {
		if h.Member == name || place(h) == name {
			out = append(out, h)
		}
	}
	if len(out) == 0 {
		t.Fatalf("%s is not in the lab", name)
	}
	return out
}

// place is the host's name without what every name of the stack begins with.
func place(h *lab.Host) string { return strings.ReplaceAll(h.Name(), "main-Network-", "") }

// row is a sentence about everybody of a name.
type row struct {
	from, to string
	port     int
	open     bool
}

// check tries rows from every host of the one to every host of the other, and
// says of each row what all of them gave.
func (w *world) check(t *testing.T, rows []row) []lab.Outcome {
	t.Helper()
	var all []*probe
	byRow := make([][]*probe, len(rows))
	for i, r := range rows {
		for _, from := range w.hosts(t, r.from) {
			for _, to := range w.hosts(t, r.to) {
				byRow[i] = append(byRow[i], &probe{from: from, to: to, port: r.port, open: r.open})
			}
		}
		all = append(all, byRow[i]...)
	}
	measure(t, all)
	out := make([]lab.Outcome, len(rows))
	for i, r := range rows {
		out[i] = outcome(r.open)
		for _, p := range byRow[i] {
			if p.got != outcome(r.open) {
				t.Errorf("%s to %s:%d is %s, want %s", place(p.from), place(p.to), p.port, p.got, outcome(r.open))
				out[i] = p.got
			}
		}
	}
	return out
}
