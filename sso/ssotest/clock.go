package ssotest

import (
	"maps"
	"time"
)

// now is the pool's clock.
func (p *Pool) now() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.nowLocked()
}

func (p *Pool) nowLocked() time.Time { return time.Now().Add(p.offset) }

// stamp is the clock that stamps tokens: now, plus the fault ClockSkew.
func (p *Pool) stamp() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stampLocked()
}

func (p *Pool) stampLocked() time.Time { return p.nowLocked().Add(p.faults.ClockSkew) }

// Advance moves the pool's clock forward (or back) for tokens, codes, sessions and VerifierConfig.Now.
func (p *Pool) Advance(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.offset += d
}

// SetFaults changes the switches under a lock: change must not call the pool.
func (p *Pool) SetFaults(change func(*Faults)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(&p.faults)
	close(p.faultChanged)
	p.faultChanged = make(chan struct{})
}

// currentFaults returns a copy of the switches.
func (p *Pool) currentFaults() Faults {
	p.mu.Lock()
	defer p.mu.Unlock()
	f := p.faults
	f.Throttle = maps.Clone(f.Throttle)
	f.Quota = maps.Clone(f.Quota)
	f.APIError = maps.Clone(f.APIError)
	f.TriggerTimeout = maps.Clone(f.TriggerTimeout)
	f.TriggerError = maps.Clone(f.TriggerError)
	return f
}
