package emf

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"
)

var (
	// ErrConfig: a mistake in a Config; the text names the field. From [New].
	ErrConfig = errors.New("emf: invalid configuration")
	// ErrEvent: CloudWatch would not take this. Nothing was written. From
	// [Writer.Emit] and [Writer.EmitWith].
	ErrEvent = errors.New("emf: invalid metrics")
)

// Config says where metrics belong. It is copied.
type Config struct {
	// Namespace of the metrics, such as "SSO". Required.
	Namespace string
	// Dimensions are those that every line has, such as Function=sso-trigger.
	// Defaults to none.
	Dimensions map[string]string
	// Now is the clock. Defaults to time.Now.
	Now func() time.Time
}

// Writer writes metrics. It is safe for concurrent use.
type Writer struct {
	cfg Config
	mu  sync.Mutex // guards out: one line at a time
	out io.Writer
}

// New writes lines to out, each in one call of Write, so that they do not mix
// with those of a logger on the same file. Its error is [ErrConfig].
func New(out io.Writer, cfg Config) (*Writer, error) {
	if out == nil {
		return nil, fmt.Errorf("%w: out: required", ErrConfig)
	}
	if !isNamespace(cfg.Namespace) {
		return nil, fmt.Errorf("%w: Namespace: %q is not 1 to %d letters, digits and .-_/#: without AWS/ before them", ErrConfig, cfg.Namespace, maxName)
	}
	cfg.Dimensions = maps.Clone(cfg.Dimensions)
	if err := checkDimensions(cfg.Dimensions); err != nil {
		return nil, fmt.Errorf("%w: Dimensions: %w", ErrConfig, err)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Writer{cfg: cfg, out: out}, nil
}

// Metric is one value. Give a count of nothing as 0, so that its graph has no
// holes.
type Metric struct {
	Name  string
	Unit  Unit // "" is None
	Value float64
}

// Emit writes one line of metrics, in one set of dimensions: those given and
// those of the Config.
func (w *Writer) Emit(metrics []Metric, dimensions map[string]string) error {
	return w.EmitWith(metrics, dimensions, nil)
}

// EmitWith is Emit with properties, which are in the line for searching and
// become no metrics. An empty one is left out.
func (w *Writer) EmitWith(metrics []Metric, dimensions, properties map[string]string) error {
	line, err := w.line(metrics, dimensions, properties)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, err := w.out.Write(line); err != nil {
		return fmt.Errorf("emf: %w", err)
	}
	return nil
}

type metadata struct {
	Timestamp         int64       // milliseconds since 1970
	CloudWatchMetrics []directive // one
}

type directive struct {
	Namespace  string
	Dimensions [][]string
	Metrics    []definition
}

type definition struct {
	Name string
	Unit Unit
}

const metadataMember = "_aws"

func (w *Writer) line(metrics []Metric, dimensions, properties map[string]string) ([]byte, error) {
	all := maps.Clone(w.cfg.Dimensions)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, dimensions)
	if err := check(metrics, all); err != nil {
		return nil, err
	}
	root := map[string]any{}
	d := directive{Namespace: w.cfg.Namespace, Dimensions: [][]string{slices.Sorted(maps.Keys(all))}}
	if len(all) == 0 {
		d.Dimensions = [][]string{{}}
	}
	for name, value := range all {
		root[name] = value
	}
	for _, m := range metrics {
		root[m.Name] = m.Value
		d.Metrics = append(d.Metrics, definition{m.Name, m.Unit.orNone()})
	}
	for name, value := range properties {
		if _, taken := root[name]; taken || name == metadataMember {
			return nil, fmt.Errorf("%w: property %q is there twice", ErrEvent, name)
		}
		if value != "" {
			root[name] = value
		}
	}
	root[metadataMember] = metadata{Timestamp: w.cfg.Now().UnixMilli(), CloudWatchMetrics: []directive{d}}
	return encode(root)
}

func encode(root map[string]any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf) // ends with a line feed, and has none inside
	enc.SetEscapeHTML(false)
	if err := enc.Encode(root); err != nil {
		return nil, fmt.Errorf("%w: not JSON", ErrEvent)
	}
	if buf.Len() > maxLine {
		return nil, fmt.Errorf("%w: %d bytes are more than %d", ErrEvent, buf.Len(), maxLine)
	}
	return buf.Bytes(), nil
}
