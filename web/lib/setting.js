/** What a setting is, was and shall be. Pure. */

/** @typedef {import('../net/types.js').Camera} Camera */
/** @typedef {import('../net/types.js').Property} Property */
/** @typedef {import('../net/types.js').Value} Value */

/** The settings that most people want, in this order; all others are behind "All settings". */
const firstNames = ['led', 'framesize', 'quality'];

/**
 * split sorts a camera's settings into the first few and the others.
 * @param {Property[]} properties
 */
export function split(properties) {
  const first = firstNames.flatMap((name) => properties.filter((p) => p.name === name));
  return { first, others: properties.filter((p) => !first.includes(p)) };
}

/**
 * widget is how a setting is best set. An LED that is only on or off is a number from 0 to 1.
 * @param {Property} property
 * @returns {'switch' | 'slider' | 'select' | 'text' | 'number'}
 */
export function widget(property) {
  if (property.type === 'bool' || (property.type === 'number' && property.min === 0 && property.max === 1)) return 'switch';
  if (property.type === 'choice') return 'select';
  if (property.type === 'decimal') return 'number';
  return property.type === 'number' ? 'slider' : 'text';
}

/**
 * standing is where a setting stands: the value in force (what is wanted, as
 * long as the camera has said nothing), and what is wanted but not in force.
 * @param {Camera} camera
 * @param {string} name
 * @returns {{value: Value | undefined, wanted: Value | undefined}}
 */
export function standing(camera, name) {
  const reported = camera.settings.reported?.[name];
  const desired = camera.settings.desired?.[name];
  if (reported === undefined) return { value: desired, wanted: undefined };
  return { value: reported, wanted: desired === undefined || desired === reported ? undefined : desired };
}

/**
 * say is a value in words.
 * @param {Property} property
 * @param {Value | undefined} value
 */
export function say(property, value) {
  if (value === undefined) return '–';
  if (widget(property) === 'switch') return value === true || value === 1 ? 'on' : 'off';
  if (property.name === 'led' && value === 0) return 'off';
  return property.unit ? `${value} ${property.unit}` : String(value);
}
