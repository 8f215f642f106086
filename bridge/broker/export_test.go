package broker

import (
	"net"
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

// Break makes the listener fail, as when the process has no descriptors left.
func (b *Broker) Break() { _ = b.listener.tcp.(*net.TCPListener).SetDeadline(time.Unix(1, 0)) }
