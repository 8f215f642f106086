/**
 * A plugin's settings between their JSON and the text that people write. Pure.
 * A list has one entry a line, a map one "name: value" a line.
 */

/** @typedef {import('../net/types.js').PluginField} Field */

/** titleOf is a setting's name for people. @param {Field} field */
export function titleOf({ name }) {
  const words = name.replaceAll('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/**
 * control is how a setting is best set.
 * @param {Field} field
 * @param {unknown} [value]  as it is: a text of several lines needs them
 * @returns {'secret' | 'switch' | 'select' | 'lines' | 'text'}
 */
export function control({ type, secret, choices, file_only: file }, value) {
  const long = type === 'strings' || type === 'map' || (typeof value === 'string' && value.includes('\n')) ? 'lines' : 'text';
  if (file) return long;
  if (secret) return 'secret';
  if (type === 'boolean') return 'switch';
  return choices && choices.length > 0 ? 'select' : long;
}

/**
 * shown is a value as text; what is not set is empty.
 * @param {Field} field
 * @param {unknown} value
 * @returns {string}
 */
export function shown({ type }, value) {
  if (value === null || value === undefined) return '';
  if (type === 'strings' && Array.isArray(value)) return value.join('\n');
  if (type === 'map' && typeof value === 'object') return Object.entries(value).map(([name, text]) => `${name}: ${text}`).join('\n');
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

/** @typedef {{value: unknown, problem?: undefined} | {problem: string}} Reading */

/**
 * read is the value that a text means; null, back to the default, for none. What
 * is wrong with it is said in a sentence. The bridge judges again.
 * @param {Field} field
 * @param {string} text
 * @returns {Reading}
 */
export function read(field, text) {
  const { type, required, default: usual } = field;
  if (text.trim() === '') return required && usual === undefined ? { problem: 'This is needed.' } : { value: null };
  if (type === 'strings') return { value: lines(text) };
  if (type === 'map') return map(text);
  if (type === 'boolean') return { value: text === 'true' };
  if (type === 'integer' || type === 'number') return number(field, text.trim());
  if (type === 'duration' && !/^(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+$/.test(text.trim())) return { problem: 'This must be a time such as 30s, 5m or 1h30m.' };
  return { value: type === 'duration' ? text.trim() : text };
}

/** @param {string} text */
function lines(text) {
  return text.split('\n').map((line) => line.trim()).filter(Boolean);
}

/** @param {string} text @returns {Reading} */
function map(text) {
  const given = object(text);
  if (given) return { value: given };
  const pairs = lines(text).map((line) => /^([^:=]+?)\s*[:=]\s*(.*)$/.exec(line) ?? line);
  const odd = pairs.find((pair) => typeof pair === 'string');
  if (odd) return { problem: `Each line must be “name: value”, and “${odd}” is not.` };
  return { value: Object.fromEntries(pairs.map(([, name, value]) => [name, value])) };
}

/** object reads what was pasted as JSON. @param {string} text */
function object(text) {
  try {
    const value = JSON.parse(text);
    return value && typeof value === 'object' && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}

/** @param {Field} field @param {string} text @returns {Reading} */
function number({ type, min = 0, max = 0 }, text) {
  const value = Number(text);
  if (!Number.isFinite(value)) return { problem: 'This must be a number.' };
  if (type === 'integer' && !Number.isInteger(value)) return { problem: 'This must be a whole number.' };
  if ((min !== 0 || max !== 0) && (value < min || value > max)) return { problem: `This must be from ${min} to ${max}.` };
  return { value };
}

/**
 * hint says what a setting is for: its help, an example, its range.
 * @param {Field} field
 */
export function hint({ help, example, type, min = 0, max = 0, default: usual, secret, choices }) {
  const begin = (/** @type {string} */ text) => text.charAt(0).toUpperCase() + text.slice(1);
  const known = usual !== undefined && usual !== null && !secret && !choices?.length ? shown({ name: '', type }, usual).replaceAll('\n', ', ') : '';
  const more = [
    example && `example: ${example}`,
    (min !== 0 || max !== 0) && `${min} to ${max}`,
    known && `unless set: ${known}`,
    type === 'strings' && 'one a line',
    type === 'map' && 'one “name: value” a line',
  ];
  return [help && begin(help) + (/[.!?]$/.test(help) ? '' : '.'), begin(more.filter(Boolean).join(' · '))].filter(Boolean).join(' ');
}

/**
 * faults are what is wrong, by setting; what is about none of these is under ''.
 * @param {import('../net/types.js').Fault} fault
 * @param {Field[]} fields
 * @returns {Map<string, string>}
 */
export function faults({ message, field = '', problems }, fields) {
  const known = new Set(fields.map(({ name }) => name));
  /** @type {Map<string, string>} */
  const out = new Map();
  for (const one of problems ?? [{ field, message }]) {
    const name = one.field.replace(/^settings\./, '');
    const at = known.has(name) ? name : '';
    out.set(at, [out.get(at), one.message].filter(Boolean).join(' '));
  }
  return out;
}
