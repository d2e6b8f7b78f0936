//go:build !linux

package lab

import (
	"context"
	"errors"
	"net/netip"
	"time"
)

var errLinuxOnly = errors.New("network namespaces: there are none but on Linux")

type namespace struct{ path string }

func newNamespace(string) (*namespace, error) { return nil, errLinuxOnly }

func (*namespace) do(func() error) error { return errLinuxOnly }

func (*namespace) close() {}

// Allowed reports why there can be no lab here.
func Allowed(context.Context) error { return errLinuxOnly }

// Dial reports an error: there are no hosts here.
func (h *Host) Dial(netip.AddrPort, time.Duration) (Outcome, error) { return "", errLinuxOnly }
