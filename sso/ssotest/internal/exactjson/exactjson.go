// Package exactjson reads a JSON object into a struct by the exact names of its members. encoding/json folds their case, so
// that a fake built on it would take what AWS ignores.
package exactjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strings"
)

// ErrTrailing is text after the value.
var ErrTrailing = errors.New("exactjson: text after the value")

// Unmarshal reads data into dst, a pointer. Of an object that is read into a struct, members whose names are not exactly
// those of the struct's fields are ignored; structs inside of it are read as encoding/json does. Numbers that are read
// into an any keep their digits, as [json.Number].
func Unmarshal(data []byte, dst any) error {
	if t := reflect.TypeOf(dst).Elem(); t.Kind() == reflect.Struct {
		var members map[string]json.RawMessage
		if err := decode(data, &members); err != nil {
			return err
		}
		if members == nil { // null
			return nil
		}
		known := make(map[string]bool)
		addNames(t, known)
		for name := range members {
			if !known[name] {
				delete(members, name)
			}
		}
		var err error
		if data, err = json.Marshal(members); err != nil {
			return err
		}
	}
	return decode(data, dst)
}

func decode(data []byte, dst any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(dst); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return ErrTrailing
	}
	return nil
}

// addNames adds the member names of a struct, with those of the structs it embeds.
func addNames(t reflect.Type, names map[string]bool) {
	for i := range t.NumField() {
		field := t.Field(i)
		tag, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case field.Anonymous && field.Type.Kind() == reflect.Struct && tag == "":
			addNames(field.Type, names)
		case tag != "":
			names[tag] = true
		default:
			names[field.Name] = true
		}
	}
}
