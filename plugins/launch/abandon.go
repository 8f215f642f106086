package launch

// Abandon lets go of the plugin as the kernel does when its host is killed: its
// stdin ends, the connection and Host are gone, and nobody tells it anything.
// For tests of what it does then; Stop must follow.
func (p *Process) Abandon() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.host != nil {
		p.host.server.Stop()
	}
	_ = p.conn.Close() // the plugin may have closed it
	closeAll(p.child.stdin)
}
