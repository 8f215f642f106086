package pluginpb_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/espcam-bridge/espcam-bridge/plugins/pluginpb"
)

func compileText(t *testing.T, files map[string]string) *descriptorpb.FileDescriptorProto {
	t.Helper()
	c := protocompile.Compiler{Resolver: &protocompile.SourceResolver{
		Accessor: protocompile.SourceAccessorFromMap(files),
	}}
	out, err := c.Compile(t.Context(), "plugin.proto")
	if err != nil {
		t.Fatal(err)
	}
	return protodesc.ToFileDescriptorProto(out[0])
}

func protoText(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../proto/plugin.proto")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestGeneratedIsTheText: the generated code is what plugin.proto says now.
func TestGeneratedIsTheText(t *testing.T) {
	text := protoText(t)
	generated := protodesc.ToFileDescriptorProto(pluginpb.File_plugin_proto)
	if !proto.Equal(generated, compileText(t, map[string]string{"plugin.proto": text})) {
		t.Error("plugins/pluginpb was not made of plugins/proto/plugin.proto as it is: run make proto")
	}
	changed := strings.Replace(text, "string instance = 1;", "string instance = 11;", 1)
	if changed == text || proto.Equal(generated, compileText(t, map[string]string{"plugin.proto": changed})) {
		t.Error("a changed text goes unnoticed")
	}
}

// TestNothingReleasedChanged: plugins that exist are still understood.
func TestNothingReleasedChanged(t *testing.T) {
	for _, complaint := range breaks(released(t), protodesc.ToFileDescriptorProto(pluginpb.File_plugin_proto)) {
		t.Error(complaint)
	}
}

// released is the protocol as plugins out there know it.
func released(t *testing.T) *descriptorpb.FileDescriptorProto {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "proto", "released.binpb"))
	if err != nil {
		t.Fatal(err)
	}
	set := &descriptorpb.FileDescriptorSet{}
	if err := proto.Unmarshal(raw, set); err != nil {
		t.Fatal(err)
	}
	for _, f := range set.GetFile() {
		if f.GetName() == "plugin.proto" {
			return f
		}
	}
	t.Fatal("released.binpb holds no plugin.proto")
	return nil
}

// breaks names everything of old that is not the same in now. What now has in
// addition is fine.
func breaks(old, now *descriptorpb.FileDescriptorProto) []string {
	var out []string
	if old.GetPackage() != now.GetPackage() {
		out = append(out, fmt.Sprintf("the package %s became %s", old.GetPackage(), now.GetPackage()))
	}
	after := facts(now)
	for name, was := range facts(old) {
		if is, ok := after[name]; !ok {
			out = append(out, name+" is gone")
		} else if is != was {
			out = append(out, fmt.Sprintf("%s was %s and became %s", name, was, is))
		}
	}
	return out
}

// facts says of each thing in the file, by its name, what the wire shows of it.
func facts(f *descriptorpb.FileDescriptorProto) map[string]string {
	out := map[string]string{}
	for _, m := range f.GetMessageType() {
		messageFacts(out, m.GetName(), m)
	}
	for _, e := range f.GetEnumType() {
		enumFacts(out, e.GetName(), e)
	}
	for _, s := range f.GetService() {
		out[s.GetName()] = "a service"
		for _, m := range s.GetMethod() {
			out[s.GetName()+"."+m.GetName()] = fmt.Sprintf("a method (%t %s) to (%t %s)",
				m.GetClientStreaming(), m.GetInputType(), m.GetServerStreaming(), m.GetOutputType())
		}
	}
	return out
}

func messageFacts(out map[string]string, name string, m *descriptorpb.DescriptorProto) {
	out[name] = "a message"
	for _, f := range m.GetField() {
		one := ""
		if f.OneofIndex != nil {
			one = " of " + m.GetOneofDecl()[f.GetOneofIndex()].GetName()
		}
		out[name+"."+f.GetName()] = fmt.Sprintf("field %d, %s %s%s %s", f.GetNumber(), f.GetLabel(), f.GetType(), f.GetTypeName(), one)
	}
	for _, n := range m.GetNestedType() {
		messageFacts(out, name+"."+n.GetName(), n)
	}
	for _, e := range m.GetEnumType() {
		enumFacts(out, name+"."+e.GetName(), e)
	}
}

func enumFacts(out map[string]string, name string, e *descriptorpb.EnumDescriptorProto) {
	out[name] = "an enum"
	for _, v := range e.GetValue() {
		out[name+"."+v.GetName()] = fmt.Sprintf("value %d", v.GetNumber())
	}
}

// TestBreaksNotice: each kind of breaking change is seen, and no other.
func TestBreaksNotice(t *testing.T) {
	for change, c := range map[string]struct{ old, now, want string }{
		"nothing":        {"", "", ""},
		"added field":    {"bool file_only = 9;", "bool file_only = 9; bool more = 99;", ""},
		"added method":   {"service Sink {", "service Sink { rpc More(DrainRequest) returns (DrainResponse);", ""},
		"added value":    {"PHASE_TEST = 4;", "PHASE_TEST = 4; PHASE_MORE = 5;", ""},
		"added message":  {"message DescribeRequest {}", "message DescribeRequest {} message More {}", ""},
		"removed field":  {"bool file_only = 9;", "", "Field.file_only is gone"},
		"renamed field":  {"bool file_only = 9;", "bool only_file = 9;", "Field.file_only is gone"},
		"renumbered":     {"bool file_only = 9;", "bool file_only = 99;", "Field.file_only was field 9"},
		"retyped":        {"bool file_only = 9;", "string file_only = 9;", "Field.file_only was"},
		"other message":  {"Camera camera = 3;", "Box camera = 3;", "Event.camera was"},
		"now repeated":   {"bool file_only = 9;", "repeated bool file_only = 9;", "Field.file_only was"},
		"removed method": {"rpc Check(CheckRequest) returns (CheckResponse);", "", "Plugin.Check is gone"},
		"now a stream":   {"returns (Receipt)", "returns (stream Receipt)", "Notifier.Notify was"},
		"other answer":   {"returns (Receipt)", "returns (DrainResponse)", "Notifier.Notify was"},
		"removed value":  {"PHASE_TEST = 4;", "", "Phase.PHASE_TEST is gone"},
		"other value":    {"PHASE_TEST = 4;", "PHASE_TEST = 5;", "Phase.PHASE_TEST was value 4"},
		"package":        {"package bridge.plugin.v1;", "package bridge.plugin.v2;", "the package bridge.plugin.v1"},
	} {
		text := protoText(t)
		changed := strings.Replace(text, c.old, c.now, 1)
		if c.old != c.now && changed == text {
			t.Errorf("%s: %q stands nowhere in the text", change, c.old)
			continue
		}
		got := breaks(released(t), compileText(t, map[string]string{"plugin.proto": changed}))
		if c.want == "" && len(got) > 0 || c.want != "" && !strings.Contains(strings.Join(got, "\n"), c.want) {
			t.Errorf("%s: %q", change, got)
		}
	}
}
