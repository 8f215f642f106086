package mqtt

import "time"

// AnswerWithin sets how long a probe waits for a rival.
func (c *Client) AnswerWithin(d time.Duration) { c.answerTime = d }
