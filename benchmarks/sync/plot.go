package main

import (
	"bytes"
	"fmt"
	"image/color"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// curve is a line of the plot: how many of the people had waited so long.
type curve struct {
	name   string
	times  times
	colour color.Color
	dashes []vg.Length
}

// panel is one half of the plot.
type panel struct {
	title  string
	curves []curve
}

// Colours that people with any kind of sight can tell apart.
var (
	blue   = color.RGBA{0x00, 0x5a, 0xb5, 0xff}
	orange = color.RGBA{0xd5, 0x5e, 0x00, 0xff}
	green  = color.RGBA{0x00, 0x7a, 0x5a, 0xff}
	ink    = color.RGBA{0x22, 0x22, 0x22, 0xff}
	pale   = color.RGBA{0xe2, 0xe2, 0xe2, 0xff}

	dashed = []vg.Length{vg.Points(7), vg.Points(3)}
	dotted = []vg.Length{vg.Points(2), vg.Points(3)}
)

// panels of what was measured.
func panels(o outage, wholes []whole) []panel {
	ups := panel{title: "Sign-up: the row must be there, so people wait for the database"}
	for _, w := range wholes {
		switch w.name {
		case "single, PostgreSQL":
			ups.curves = append(ups.curves, curve{"healthy, one function", w.up, green, nil})
		case "split, PostgreSQL":
			ups.curves = append(ups.curves, curve{"healthy, two functions", w.up, blue, nil})
		}
	}
	for _, u := range o.ups {
		if u.state != healthy {
			ups.curves = append(ups.curves, curve{"database " + u.state + ": try again", u.times, orange, line(u.state)})
		}
	}
	ins := panel{title: "Sign-in: through the queue nobody waits for the database"}
	for _, i := range o.ins {
		colour := map[string]color.Color{queued: blue, direct: orange}[i.design]
		ins.curves = append(ins.curves, curve{i.design + ", database " + i.state, i.times, colour, line(i.state)})
	}
	return []panel{ups, ins}
}

func line(state string) []vg.Length {
	return map[string][]vg.Length{slow: dashed, down: dotted}[state]
}

// writePlot draws the panels one above the other.
func writePlot(path string, list []panel) error {
	plot.DefaultFont = font.Font{Typeface: "Liberation", Variant: "Sans"}
	const width, height = 9.6 * vg.Inch, 6.6 * vg.Inch
	canvas := vgsvg.New(width, height)
	all := draw.New(canvas)
	all.SetColor(color.White)
	all.Fill(all.Path()) // readable on a dark page as well
	tiles := draw.Tiles{Rows: len(list), Cols: 1, PadX: 8, PadY: 16, PadTop: 10, PadBottom: 8, PadLeft: 8, PadRight: 18}
	for i, p := range list {
		drawn, err := p.plot()
		if err != nil {
			return err
		}
		drawn.Draw(tiles.At(all, 0, i))
	}
	var svg bytes.Buffer
	if _, err := canvas.WriteTo(&svg); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, fonts(svg.Bytes()), 0o644) //nolint:gosec // a picture for everybody
}

// fonts names others for who has not the one that the text was measured with.
func fonts(svg []byte) []byte {
	return []byte(strings.NewReplacer("font-family:Liberation Sans", "font-family:Liberation Sans,Arial,Helvetica,sans-serif",
		"font-family:'Liberation Sans'", "font-family:'Liberation Sans',Arial,Helvetica,sans-serif").Replace(string(svg)))
}

func (p panel) plot() (*plot.Plot, error) {
	out := plot.New()
	out.Title.Text, out.Title.Padding = p.title, vg.Points(6)
	out.Title.TextStyle.Font.Size, out.Title.TextStyle.Color = vg.Points(13), ink
	out.Y.Label.Text, out.Y.Min, out.Y.Max = "people answered", 0, 100
	out.X.Min, out.X.Max, out.X.Scale, out.X.Tick.Marker = 2, 6000, plot.LogScale{}, marks
	out.Y.Tick.Marker = plot.ConstantTicks{{Value: 0, Label: "0 %"}, {Value: 25}, {Value: 50, Label: "50 %"}, {Value: 75}, {Value: 100, Label: "100 %"}}
	for _, axis := range []*plot.Axis{&out.X, &out.Y} {
		axis.Label.TextStyle.Font.Size, axis.Tick.Label.Font.Size = vg.Points(11), vg.Points(10)
		axis.Label.TextStyle.Color, axis.Tick.Label.Color, axis.Color = ink, ink, ink
	}
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = pale, pale
	out.Add(grid)
	out.Legend.Left, out.Legend.Top = true, false
	out.Legend.XOffs, out.Legend.YOffs = 225, 30
	out.Legend.ThumbnailWidth, out.Legend.Padding = vg.Points(30), vg.Points(7)
	out.Legend.TextStyle = text.Style{Font: font.From(plot.DefaultFont, 10), Color: ink, Handler: plot.DefaultTextHandler, YAlign: draw.YCenter}
	for _, c := range p.curves {
		drawn, err := plotter.NewLine(c.points())
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.name, err)
		}
		drawn.Color, drawn.Dashes, drawn.Width, drawn.StepStyle = c.colour, c.dashes, vg.Points(2), plotter.PostStep
		out.Add(drawn)
		out.Legend.Add(fmt.Sprintf("%s (median %s)", c.name, readable(c.times)), drawn)
	}
	return out, nil
}

func readable(t times) string {
	if half := t.p50().Seconds(); half >= 1 {
		return fmt.Sprintf("%.1f s", half)
	}
	return millis(t.p50()) + " ms"
}

// points are (milliseconds, per cent) from nobody to everybody.
func (c curve) points() plotter.XYs {
	sorted := slices.Sorted(slices.Values(c.times))
	out := make(plotter.XYs, 0, len(sorted)+1)
	for i, d := range sorted {
		ms := float64(d) / 1e6
		if i == 0 {
			out = append(out, plotter.XY{X: ms, Y: 0})
		}
		out = append(out, plotter.XY{X: ms, Y: 100 * float64(i+1) / float64(len(sorted))})
	}
	return out
}

// marks are where people can read a logarithmic axis.
var marks = plot.ConstantTicks{
	{Value: 2, Label: "2 ms"}, {Value: 5, Label: "5 ms"}, {Value: 10, Label: "10 ms"}, {Value: 20, Label: "20 ms"}, {Value: 50, Label: "50 ms"},
	{Value: 100, Label: "100 ms"}, {Value: 200, Label: "200 ms"}, {Value: 500, Label: "500 ms"}, {Value: 1000, Label: "1 s"},
	{Value: 2000, Label: "2 s"}, {Value: 5000, Label: "5 s"},
}
