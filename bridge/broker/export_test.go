package broker

import (
	"net"
	"os"
	"time"
)

// Hasten shortens the waits for clients that do not speak or do not read.
func (b *Broker) Hasten(hello, write time.Duration) {
	b.listener.hello, b.listener.write = hello, write
}

// Age makes all retained messages that many seconds older.
func (b *Broker) Age(seconds int64) {
	for topic, pk := range b.server.Topics.Retained.GetAll() {
		pk.Created -= seconds
		b.server.Topics.Retained.Add(topic, pk)
	}
}

// Keeps reports whether a retained message is kept under topic.
func (b *Broker) Keeps(topic string) bool {
	_, ok := b.server.Topics.Retained.Get(topic)
	return ok
}

// Break makes the listener fail for good.
func (b *Broker) Break() { _ = b.listener.tcp.(*net.TCPListener).SetDeadline(time.Unix(1, 0)) }

// FailAccepts makes the next attempts to take a connection fail.
func (b *Broker) FailAccepts(errs ...error) { b.listener.tcp = &failing{b.listener.tcp, errs} }

type failing struct {
	net.Listener
	errs []error
}

func (f *failing) Accept() (net.Conn, error) {
	if len(f.errs) == 0 {
		return f.Listener.Accept()
	}
	err := f.errs[0]
	f.errs = f.errs[1:]
	return nil, &net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", err)}
}
