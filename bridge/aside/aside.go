// Package aside has threads that run only while nobody else wants the core, for
// work that must never delay a picture on its way to its viewers: the watch's
// judging and the journal's clips.
//
// Such a thread may get no core for long. Who uses one sees to it that somebody
// else then takes its place, and holds a lock that others need for moments only.
package aside
