/**
 * The shapes of what the bridge says, as types only.
 *
 * @typedef {'viewer' | 'operator' | 'admin'} Role
 * @typedef {number | boolean | string} Value
 *
 * @typedef {object} Property            one setting that a camera has
 * @property {string} name               as the API calls it
 * @property {string} title              for people
 * @property {'number' | 'bool' | 'choice' | 'text' | 'decimal'} type  decimal: the page's own settings only
 * @property {number} min
 * @property {number} max                of a text: characters
 * @property {string[]} [options]
 * @property {string} [hint]
 * @property {string} [unit]
 * @property {string} [empty]            what no value means, where there may be none
 * @property {Record<string, string>} [words]  of options
 *
 * @typedef {object} Capabilities
 * @property {Property[] | null} settings
 * @property {string[] | null} actions
 * @property {number} [led]
 *
 * @typedef {object} Stats
 * @property {number} fps
 * @property {number} bytes_per_second
 * @property {number} frame_size
 * @property {number} frames
 * @property {number} viewers
 * @property {Record<string, number> | null} dropped  by reason
 * @property {number | null} rssi        dBm
 * @property {number | null} heap_free   bytes
 * @property {number | null} psram_free  bytes
 * @property {number | null} temperature °C
 * @property {number | null} uptime_s
 * @property {number | null} device_fps
 *
 * @typedef {object} Camera
 * @property {string} id
 * @property {string} room
 * @property {string} name
 * @property {string} dialect
 * @property {'online' | 'offline' | 'pending' | 'disabled'} state
 * @property {boolean} connected
 * @property {boolean} enabled
 * @property {string} address
 * @property {string | null} connected_at
 * @property {string | null} last_frame_at
 * @property {string | null} booted_at
 * @property {string} source             where the configuration file names it, or empty
 * @property {{mac?: string, firmware?: string, board?: string, sensor?: string, psram?: number, reset?: string}} device
 * @property {Capabilities} capabilities
 * @property {{desired: Record<string, Value> | null, reported: Record<string, Value> | null}} settings
 * @property {Stats} stats
 * @property {MotionState} [motion]      absent where the bridge does not look for motion
 * @property {boolean} [announced]       false: its device was deleted in Home Assistant and is not offered again
 *
 * @typedef {[number, number]} Point     x and y in shares of the picture, 0 to 1
 * @typedef {Point[]} Polygon            3 to 32 points
 * @typedef {{x: number, y: number, w: number, h: number}} Box  in shares of the picture
 *
 * @typedef {object} MotionSettings      in force; null means "by sensitivity"
 * @property {boolean} enabled
 * @property {number} sensitivity        1 to 100
 * @property {number} fps                1 to 15
 * @property {number} width              80, 160 or 320
 * @property {number} off_delay          seconds, 1 to 300
 * @property {number | null} threshold   grey levels, 4 to 100
 * @property {number} noise              1 to 20
 * @property {number | null} area        share of the picture, 0.0001 to 0.5
 * @property {string} frames             such as 2/3
 * @property {Polygon[]} ignore
 * @property {Record<string, Polygon>} zones
 *
 * @typedef {object} Detector            what the judging of pictures did so far
 * @property {number} fps                measured
 * @property {number} analysed
 * @property {Record<string, number> | null} skipped  pictures not judged, by reason
 * @property {Record<string, number> | null} quiet    judged and quiet for a cause, by cause
 *
 * @typedef {object} MotionState
 * @property {boolean} active            an event is going on
 * @property {string | null} [since]     of active's last change
 * @property {string} [event]            id of the one going on
 * @property {boolean} learning          no alarm yet
 * @property {MotionSettings} settings
 * @property {Detector} [detector]
 * @property {string[]} [zones]          of the event going on, as far as this page heard of it
 *
 * @typedef {{label: string, score: number, box: Box}} Detection
 *
 * @typedef {object} MotionEvent         one happening in front of one camera
 * @property {string} id                 sorts by time
 * @property {string} camera
 * @property {string} [camera_name]
 * @property {string[] | null} sources   pixels, pir, ...
 * @property {string} begin
 * @property {string} last
 * @property {string} [end]              absent while it goes on
 * @property {string} [ending]
 * @property {number} score              0 to 1
 * @property {Box[] | null} boxes        in the best picture
 * @property {string[] | null} zones
 * @property {Detection[] | null} labels
 * @property {boolean} [picture]         there is one to fetch
 * @property {boolean} [clip]
 *
 * @typedef {object} EventNews           an event began, changed or ended
 * @property {MotionEvent} event
 * @property {Box[] | null} now          what moves in the newest judged picture
 * @property {boolean} active
 *
 * @typedef {object} Fault               an error in words
 * @property {string} code
 * @property {string} message
 * @property {string} [field]
 * @property {{field: string, message: string}[]} [problems]  where several inputs are wrong: all of them
 *
 * @typedef {object} Notice
 * @property {number} time               Unix ms
 * @property {string} camera             id, or empty for the bridge
 * @property {string} code
 * @property {string} message
 *
 * @typedef {object} Trouble             what a part of the bridge cannot do, while it lasts
 * @property {'mqtt' | 'events' | 'plugins'} part
 * @property {string} message
 *
 * @typedef {object} StreamToken         opens the pictures of its cameras
 * @property {string} id
 * @property {string} name
 * @property {string[]} cameras
 * @property {string} created_at
 * @property {string} [token]            the secret, only in the answer that makes it
 *
 * @typedef {'disabled' | 'missing' | 'untrusted' | 'starting' | 'configuring' | 'ready' | 'degraded' | 'draining' | 'stopped' | 'backoff' | 'tripped' | 'bad_config' | 'incompatible'} PluginState
 *
 * @typedef {object} PluginField         one setting that a plugin declared
 * @property {string} name
 * @property {string} type               string, integer, number, boolean, strings, map, duration
 * @property {boolean} [required]
 * @property {boolean} [secret]          never shown
 * @property {boolean} [file_only]       only the configuration file sets it
 * @property {unknown} [default]
 * @property {string[]} [choices]
 * @property {string} [help]
 * @property {string} [example]
 * @property {number} [min]              min and max are both 0: any
 * @property {number} [max]
 *
 * @typedef {object} Plugin              one instance
 * @property {string} instance           its name in the configuration file
 * @property {string} type
 * @property {string} version            empty until known
 * @property {string} summary
 * @property {string[]} roles            notifier, detector, sink
 * @property {PluginState} state
 * @property {string | null} since       of state
 * @property {string} problem            why, or empty
 * @property {string[]} log              its last lines, the newest last
 * @property {string | null} next        when it is started again by itself
 * @property {number} restarts
 * @property {string | null} started     of its process
 * @property {number} memory             bytes, 0: not known
 * @property {boolean} dev               its files are not checked
 * @property {boolean} files             there are some to download
 * @property {string[]} permissions
 * @property {PluginField[]} fields
 * @property {Record<string, unknown>} settings  without secrets
 * @property {string[]} secrets          names of those that are set
 * @property {string} source
 *
 * @typedef {object} PluginFile          one that it keeps for people
 * @property {string} name               with slashes
 * @property {number} size               bytes
 * @property {string} changed
 *
 * @typedef {object} FailedAlert         one that was given up
 * @property {string} id
 * @property {string} instance
 * @property {string} route
 * @property {string} event
 * @property {string} camera
 * @property {string} phase
 * @property {string} title
 * @property {string} text
 * @property {number} attempts
 * @property {string} at
 * @property {string} reason
 *
 * @typedef {object} Welcome
 * @property {string} version
 * @property {string} name
 * @property {string} app                the name in stream URLs
 * @property {Role} role
 * @property {boolean} auth
 * @property {boolean} open_streams      pictures need no token
 * @property {number} time
 * @property {Camera[] | null} cameras
 * @property {Trouble[]} [troubles]
 *
 * @typedef {object} Me                  who the bridge thinks we are
 * @property {string} name
 * @property {Role} role
 * @property {boolean} auth
 */
export {};
