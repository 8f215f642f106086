package fakecam

import "time"

// studio keeps the stages of a camera that were drawn lately, since a blinking
// flash goes to and fro between two looks. The zero studio is empty.
type studio struct {
	stages map[look]*stage
}

// maxStages bounds the memory: about 4 MB per stage at VGA.
const maxStages = 3

// picture draws what look shows after elapsed. It is good until the next call.
func (s *studio) picture(l look, elapsed time.Duration, now time.Time, caption string) []byte {
	st := s.stages[l]
	if st == nil {
		if s.stages == nil || len(s.stages) == maxStages {
			s.stages = map[look]*stage{}
		}
		st = newStage(l)
		s.stages[l] = st
	}
	return st.picture(elapsed, now, caption)
}
