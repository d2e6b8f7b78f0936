// Command benchmarks measures this module's verifier beside other libraries,
// on the same tokens in the same process, and counts what each asks of the key
// server when things go wrong. README.md says how to read what it prints.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"text/tabwriter"
)

func main() {
	pairs := flag.Int("pairs", 40, "pairs of slices for each subject and kind of token")
	noFetches := flag.Bool("speed-only", false, "leave out the table of fetches")
	flag.Parse()
	runtime.GOMAXPROCS(2)
	if err := run(context.Background(), *pairs, !*noFetches); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, pairs int, fetches bool) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	n, err := startNode(ctx, nil)
	switch {
	case errors.Is(err, errNoNode):
		fmt.Println("without Node:", err)
	case err != nil:
		return err
	default:
		defer n.close()
	}
	s, err := newSpeedSetup(n)
	if err != nil {
		return err
	}
	defer s.server.close()

	last := ""
	for _, threads := range []int{1, 2} {
		subjects, err := s.subjects(ctx, threads)
		if err != nil {
			return err
		}
		results, err := bench(subjects, s.floors(threads), pairs)
		if err != nil {
			return err
		}
		if threads == 1 {
			if err := s.countAllocs(ctx, subjects, results); err != nil {
				return err
			}
			last = lastLine(results)
		}
		s.printSpeed(subjects, results, threads)
	}
	if fetches {
		if err := printFetches(ctx, n != nil); err != nil {
			return err
		}
	}
	fmt.Println(last)
	return nil
}

func (s *speedSetup) countAllocs(ctx context.Context, subjects []subject, results map[string]measured) error {
	for _, subject := range subjects {
		for use := range results[subject.name].floor {
			if subject.verify == nil {
				continue
			}
			n, err := allocs(ctx, subject.verify, use, s.tokens[use])
			if err != nil {
				return err
			}
			results[subject.name].allocs[use] = n
		}
	}
	return nil
}

func (s *speedSetup) printSpeed(subjects []subject, results map[string]measured, threads int) {
	fmt.Printf("\nVerification, %d thread(s), RS256 with 2048 bits, %d distinct tokens of %d (access) and %d (id) bytes, %s\n\n",
		threads, distinctTokens, len(s.tokens[useAccess][0]), len(s.tokens[useID][0]), runtime.Version())
	rows := [][]string{{"library", "version", "access ÷ floor", "id ÷ floor", "id time", "id allocs", "÷ ours"}}
	for _, subject := range subjects {
		m := results[subject.name]
		rows = append(rows, []string{
			subject.name, subject.version, ratio(m.floor, useAccess), ratio(m.floor, useID),
			micros(m.time[useID]), count(m.allocs, useID), number(overall(m.ours)),
		})
	}
	printTable(rows)
}

// printTable prints rows in columns, the first as their heads.
func printTable(rows [][]string) {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		_, _ = w.Write([]byte(strings.Join(row, "\t") + "\n"))
	}
	_ = w.Flush() // into memory
	fmt.Print(b.String())
}

// lastLine says who is fastest, on one thread and with distinct tokens.
func lastLine(results map[string]measured) string {
	fastest, best := "n/a", math.Inf(1)
	for _, p := range peers[1:] {
		if m, ok := results[p.name]; ok && overall(m.ours) < best {
			fastest, best = p.name, overall(m.ours)
		}
	}
	aws := "n/a"
	if m, ok := results[nodeLibrary]; ok {
		aws = number(overall(m.ours))
	}
	return fmt.Sprintf("PEERS fastest_go=%s over_ours=%s aws_jwt_verify_over_ours=%s",
		strings.ReplaceAll(fastest, " ", "_"), number(best), aws)
}

func ratio(m map[string]float64, use string) string {
	if r, ok := m[use]; ok {
		return number(r)
	}
	return "cannot"
}

func count(m map[string]float64, use string) string {
	if n, ok := m[use]; ok {
		return fmt.Sprintf("%.0f", n)
	}
	return "-"
}

func number(f float64) string {
	if f < 0.1 {
		return fmt.Sprintf("%.4f", f)
	}
	return fmt.Sprintf("%.2f", f)
}

func micros(ns float64) string { return fmt.Sprintf("%.1f µs", ns/1000) }

// version is the version of a module in this program.
func version(module string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "?"
	}
	for _, dep := range info.Deps {
		if dep.Path == module {
			if dep.Replace != nil {
				return "this tree"
			}
			return dep.Version
		}
	}
	return "?"
}
