package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"

	"github.com/ssu-itsupport/cognito-sso/lambda/deploy/internal/network"
)

// Names of hosts that are in every lab, beside the network's members.
const (
	// AWS is a host on the internet: the services that functions call.
	AWS = "AWS"
	// Internet is somebody on the internet.
	Internet = "the internet"
	// Attacker is on the internet too, and is carried to private addresses of
	// every VPC that has an internet gateway.
	Attacker = "an attacker at the gateway"
	// Stranger is in every subnet, and lets everything in and out.
	Stranger = "a stranger"
)

// Config says what to build.
type Config struct {
	// Network is what the templates make. Required. It is not changed.
	Network *network.Network
	// NATGateways are the subnets of the NAT gateways, by ID. One that is not in
	// it is somewhere in the VPC whose routes lead to it.
	NATGateways map[string]string
}

// Lab is a running one. It is safe for concurrent use.
type Lab struct {
	plan  *plan
	names *os.File // what every host has as /etc/hosts
}

// Host is a place in the lab with one address.
type Host struct {
	// Member is its name in the network; it has one host for each of its subnets.
	Member string
	// Subnet is empty on the internet.
	Subnet string
	Groups []string
	Addr   netip.Addr
	// Public is its address on the internet, if it has one.
	Public netip.Addr

	*node
	port              string // the router's end of its link
	gateway, stranger bool
}

// Name is the member and where it is.
func (h *Host) Name() string {
	if h.Subnet == "" {
		return h.Member
	}
	return h.Member + " in " + h.Subnet
}

// New builds a lab. It needs ip and nft in PATH, and [Allowed].
func New(ctx context.Context, cfg Config) (*Lab, error) {
	p, err := newPlan(cfg)
	if err != nil {
		return nil, err
	}
	names, err := os.CreateTemp("", "sso-lab-")
	if err != nil {
		return nil, err
	}
	l := &Lab{plan: p, names: names}
	err = errors.Join(l.SetNames(nil), names.Chmod(0o644), l.build(ctx)) // other accounts read it too
	// The mounts hold on to it: what has no name needs no sweeping.
	if err = errors.Join(err, os.Remove(names.Name())); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// SetNames sets what programs in the lab resolve, by /etc/hosts: there is no
// name server.
func (l *Lab) SetNames(names map[string]netip.Addr) error {
	text := "127.0.0.1 localhost\n"
	for name, addr := range names {
		text += fmt.Sprintln(addr, name)
	}
	if err := l.names.Truncate(0); err != nil {
		return err
	}
	_, err := l.names.WriteAt([]byte(text), 0)
	return err
}

func (l *Lab) build(ctx context.Context) error {
	for _, n := range l.plan.nodes {
		s, err := newNamespace(l.names.Name())
		if err != nil {
			return fmt.Errorf("%w: namespace of %s: %w", ErrPlan, n.name, err)
		}
		n.space = s
	}
	links := map[*node][]string{}
	for _, k := range l.plan.links {
		links[k.a] = append(links[k.a], fmt.Sprintf("link add %s type veth peer name %s netns %s", k.aPort, k.bPort, k.b.space.path))
	}
	for _, n := range l.plan.nodes {
		if err := n.command(ctx, strings.Join(links[n], "\n"), "ip", "-batch", "-"); err != nil {
			return err
		}
	}
	for _, n := range l.plan.nodes {
		if err := n.settle(ctx); err != nil {
			return err
		}
	}
	return nil
}

// settle puts addresses, routes and rules into a namespace. Rules come before
// links go up: a lab that is half made is closed.
func (n *node) settle(ctx context.Context) error {
	return errors.Join(
		n.space.do(func() error { return sysctl(n.forwards) }),
		n.command(ctx, n.nft, "nft", "-f", "-"),
		n.command(ctx, strings.Join(n.ip, "\n"), "ip", "-batch", "-"),
	)
}

func sysctl(forward bool) error {
	values := map[string]string{"ipv4/ip_forward": "0", "ipv4/conf/all/rp_filter": "0", "ipv4/conf/all/send_redirects": "0", "ipv4/conf/default/send_redirects": "0"}
	if forward {
		values["ipv4/ip_forward"] = "1"
	}
	for name, value := range values {
		if err := os.WriteFile("/proc/sys/net/"+name, []byte(value), 0o600); err != nil {
			return err
		}
	}
	return nil
}

func (n *node) command(ctx context.Context, input, name string, args ...string) error {
	if input == "" {
		return nil
	}
	cmd := exec.CommandContext(ctx, name, args...) //nolint:gosec // ip or nft
	cmd.Stdin = strings.NewReader(input + "\n")
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := n.space.do(cmd.Run); err != nil {
		return fmt.Errorf("%w: %s for %s: %w: %s\n%s", ErrPlan, name, n.name, err, said.String(), input)
	}
	return nil
}

// Close ends the threads of the lab. What still runs in it keeps its namespace
// until it ends. Closing it again does nothing.
func (l *Lab) Close() error {
	for _, n := range l.plan.nodes {
		if n.space != nil {
			n.space.close()
		}
	}
	if err := l.names.Close(); !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}

// Hosts are those of a member, in the order of its subnets.
func (l *Lab) Hosts(member string) []*Host {
	var out []*Host
	for _, h := range l.plan.hosts {
		if h.Member == member {
			out = append(out, h)
		}
	}
	return out
}

// All is every host but NAT gateways.
func (l *Lab) All() []*Host {
	var out []*Host
	for _, h := range l.plan.hosts {
		if !h.gateway {
			out = append(out, h)
		}
	}
	return out
}

// ErrClosed is returned after Close.
var ErrClosed = errors.New("lab: closed")

// Do calls f on the thread of the host: sockets that it opens and processes
// that it starts are there. It MUST NOT wait for the network: the host has one
// thread. Errors are those of f, or ErrClosed.
func (h *Host) Do(f func() error) error { return h.space.do(f) }

// Listen takes connections at a port of the host's address.
func (h *Host) Listen(port int) (l net.Listener, err error) {
	err = h.Do(func() (err error) {
		l, err = net.Listen("tcp4", netip.AddrPortFrom(h.Addr, uint16(port)).String()) //nolint:gosec // a port
		return err
	})
	return l, err
}

// Outcome is what became of a connection.
type Outcome string

const (
	// Open: it opened.
	Open Outcome = "open"
	// Closed: nothing came back, or a router said that there is no way.
	Closed Outcome = "closed"
	// Refused: it got there, and nobody listened. That is no closed network.
	Refused Outcome = "refused"
)
