package pluginpb_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/espcam-bridge/espcam-bridge/plugins/pluginpb"
)

// addGolden writes the golden files that do not exist yet: for new messages.
// Those that exist are what plugins out there send, and stay as they are.
var addGolden = flag.Bool("add-golden", false, "write golden files of messages that have none")

// TestGolden: one message of each kind, as it was on the wire once, is still read
// as the same text and written as the same bytes.
func TestGolden(t *testing.T) {
	messages := pluginpb.File_plugin_proto.Messages()
	for i := range messages.Len() {
		m := messages.Get(i)
		t.Run(string(m.Name()), func(t *testing.T) { golden(t, m) })
	}
}

func golden(t *testing.T, m protoreflect.MessageDescriptor) {
	name := filepath.Join("testdata", string(m.Name()))
	if _, err := os.Stat(name + ".bin"); os.IsNotExist(err) && *addGolden {
		write(t, name, m)
	}
	wire, err := os.ReadFile(name + ".bin")
	if err != nil {
		t.Fatalf("%v (go test ./plugins/pluginpb -add-golden makes it)", err)
	}
	text, err := os.ReadFile(name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	got := dynamicpb.NewMessage(m)
	if err := proto.Unmarshal(wire, got); err != nil {
		t.Fatal(err)
	}
	if shown := textOf(t, got); !bytes.Equal(shown, text) {
		t.Errorf("read as\n%s", shown)
	}
	if len(got.GetUnknown()) > 0 {
		t.Errorf("%x was not understood", got.GetUnknown())
	}
	if again := wireOf(t, got); !bytes.Equal(again, wire) {
		t.Errorf("written as %x, not %x", again, wire)
	}
}

func write(t *testing.T, name string, m protoreflect.MessageDescriptor) {
	t.Helper()
	filled := dynamicpb.NewMessage(m)
	fill(filled)
	for file, content := range map[string][]byte{name + ".bin": wireOf(t, filled), name + ".json": textOf(t, filled)} {
		if err := os.WriteFile(file, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func wireOf(t *testing.T, m proto.Message) []byte {
	t.Helper()
	out, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// textOf is m as JSON, each field on a line.
func textOf(t *testing.T, m proto.Message) []byte {
	t.Helper()
	raw, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer // protojson's spaces vary
	if err := json.Indent(&out, raw, "", "  "); err != nil {
		t.Fatal(err)
	}
	return append(out.Bytes(), '\n')
}

// fill gives every field, to any depth, a value that names it.
func fill(m protoreflect.Message) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		switch {
		case f.IsMap():
			m.Mutable(f).Map().Set(protoreflect.ValueOfString("key").MapKey(), protoreflect.ValueOfString("value"))
		case f.IsList():
			list := m.Mutable(f).List()
			for n := range 2 {
				element := list.NewElement()
				if f.Message() != nil {
					fill(element.Message())
				} else {
					element = scalar(f, n)
				}
				list.Append(element)
			}
		case f.Message() != nil:
			fill(m.Mutable(f).Message())
		default:
			m.Set(f, scalar(f, 0))
		}
	}
}

// scalar is a value that shows which field it stands in; n tells elements apart.
func scalar(f protoreflect.FieldDescriptor, n int) protoreflect.Value {
	number := int(f.Number()) + 100*n
	switch f.Kind() {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(true)
	case protoreflect.EnumKind:
		values := f.Enum().Values()
		return protoreflect.ValueOfEnum(values.Get(values.Len() - 1 - n).Number())
	case protoreflect.Uint32Kind:
		return protoreflect.ValueOfUint32(uint32(number))
	case protoreflect.Uint64Kind:
		return protoreflect.ValueOfUint64(uint64(number) << 33)
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(int64(number) << 33)
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(float64(number) / 8)
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes([]byte{0xff, byte(number)})
	}
	return protoreflect.ValueOfString(string(f.Name()) + "-é")
}
