/**
 * The shapes of what the bridge says, as types only.
 *
 * @typedef {'viewer' | 'operator' | 'admin'} Role
 * @typedef {number | boolean | string} Value
 *
 * @typedef {object} Property            one setting that a camera has
 * @property {string} name               as the API calls it
 * @property {string} title              for people
 * @property {'number' | 'bool' | 'choice' | 'text'} type
 * @property {number} min
 * @property {number} max                of a text: characters
 * @property {string[]} [options]
 * @property {string} [hint]
 * @property {string} [unit]
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
 *
 * @typedef {object} Fault               an error in words
 * @property {string} code
 * @property {string} message
 * @property {string} [field]
 *
 * @typedef {object} Notice
 * @property {number} time               Unix ms
 * @property {string} camera             id, or empty for the bridge
 * @property {string} code
 * @property {string} message
 *
 * @typedef {object} Welcome
 * @property {string} version
 * @property {string} name
 * @property {string} app                the name in stream URLs
 * @property {Role} role
 * @property {boolean} auth
 * @property {number} time
 * @property {Camera[] | null} cameras
 *
 * @typedef {object} Me                  who the bridge thinks we are
 * @property {string} name
 * @property {Role} role
 * @property {boolean} auth
 */
export {};
