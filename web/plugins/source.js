/** What the bridge is asked about plugins and failed alerts, and told to do with them. */

/** @typedef {import('../net/types.js').Plugin} Plugin */
/** @typedef {import('../net/types.js').FailedAlert} FailedAlert */

const base = 'api/v1/plugins';
const patience = 25_000; // ms: a plugin may have to reach a slow service

export class Source {
  /** @param {import('../net/api.js').Api} api */
  constructor(api) {
    this.api = api;
  }

  /** plugins are all instances. @returns {Promise<import('../net/api.js').Answer<{items: Plugin[]}>>} */
  plugins() {
    return this.api.call('GET', base);
  }

  /** failed are the alerts that were given up. @returns {Promise<import('../net/api.js').Answer<{items: FailedAlert[]}>>} */
  failed() {
    return this.api.call('GET', 'api/v1/alerts/failed');
  }

  /** change sets, or switches, an instance. @param {string} instance @param {{enabled?: boolean, settings?: Record<string, unknown>}} change @returns {Promise<import('../net/api.js').Answer<Plugin>>} */
  change(instance, change) {
    return this.api.call('PATCH', `${base}/${instance}`, change, patience);
  }

  /** do lets it restart, or say whether it would work. @param {string} instance @param {'restart' | 'check'} action */
  do(instance, action) {
    return this.api.call('POST', `${base}/${instance}/do`, { action }, patience);
  }

  /** test really sends. @param {string} instance @returns {Promise<import('../net/api.js').Answer<{message: string}>>} */
  test(instance) {
    return this.api.call('POST', `${base}/${instance}/test`, {}, patience);
  }

  /** files are those that it keeps for people, the newest first. @param {string} instance @returns {Promise<import('../net/api.js').Answer<{items: import('../net/types.js').PluginFile[]}>>} */
  files(instance) {
    return this.api.call('GET', `${base}/${instance}/files`);
  }

  /** settle sends a failed alert again, or forgets it. @param {string} id @param {'retry' | 'dismiss'} action */
  settle(id, action) {
    return this.api.call('POST', `api/v1/alerts/failed/${encodeURIComponent(id)}/do`, { action });
  }
}

/** addressOf is where a file of a plugin is downloaded from. @param {string} instance @param {string} name with slashes */
export function addressOf(instance, name) {
  return `${base}/${instance}/files/${name.split('/').map(encodeURIComponent).join('/')}`;
}
