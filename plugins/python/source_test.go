package python_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"io"
	"os"
	"regexp"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/espcam-bridge/espcam-bridge/plugins/pluginpb"
	"github.com/espcam-bridge/espcam-bridge/plugins/python"
)

// TestDescriptors holds the protocol that the SDK carries against the Go code
// of the same: both come from plugin.proto by make proto.
func TestDescriptors(t *testing.T) {
	found := regexp.MustCompile(`(?s)\n_DESCRIPTORS = """\n(.*?)"""`).FindSubmatch(python.Source())
	if found == nil {
		t.Fatal("espcam_plugin.py has no _DESCRIPTORS")
	}
	zipped, err := io.ReadAll(base64.NewDecoder(base64.StdEncoding, bytes.NewReader(found[1])))
	if err != nil {
		t.Fatal(err)
	}
	unzip, err := gzip.NewReader(bytes.NewReader(zipped))
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(unzip)
	if err != nil {
		t.Fatal(err)
	}
	var set descriptorpb.FileDescriptorSet
	if err := proto.Unmarshal(data, &set); err != nil {
		t.Fatal(err)
	}
	want := protodesc.ToFileDescriptorProto(pluginpb.File_plugin_proto)
	if len(set.GetFile()) != 1 || !proto.Equal(set.GetFile()[0], want) {
		t.Error("espcam_plugin.py carries another protocol than pluginpb: run `make proto`")
	}
}

func TestSource(t *testing.T) {
	file, err := os.ReadFile("espcam_plugin.py")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(python.Source(), file) {
		t.Error("Source is not the file")
	}
}
