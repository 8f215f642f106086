package config

// Explanations are the words for what the parser of YAML says.
func Explanations() []string {
	out := []string{tabs, notYAML}
	for _, e := range explanations {
		out = append(out, e.words)
	}
	return out
}

// Parse is Load without any I/O: files with secrets all hold the same text.
func Parse(name string, text []byte, environ []string, secret string) (*Config, []Problem, error) {
	l := newLoader(name, environ, func(string) ([]byte, error) { return []byte(secret), nil })
	return l.load(text)
}
