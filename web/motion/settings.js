/** How motion is found: the settings as people see them, and as the bridge has them. */

/** @typedef {import('../net/types.js').Property} Property */
/** @typedef {import('../net/types.js').Value} Value */
/** @typedef {import('../net/types.js').MotionSettings} MotionSettings */

/**
 * @typedef {object} MotionField
 * @property {Property} property
 * @property {Value} [usual]  the default; one that may have no value is back to it without one
 * @property {(value: any) => Value | undefined} [shown]  from the bridge's form
 * @property {(value: any) => unknown} [sent]  to it
 */

const frames = [1, 2, 3, 4, 5, 6].flatMap((of) => Array.from({ length: of }, (_, i) => `${i + 1}/${of}`));

/** @type {MotionField[]} */
export const basic = [
  { property: field('enabled', 'Look for motion', 'bool') },
  { property: field('sensitivity', 'Sensitivity', 'number', 1, 100), usual: 50 },
  { property: { ...field('off_delay', 'Over after', 'decimal', 1, 300), unit: 's', hint: 'seconds without motion until an event is over' }, usual: 10 },
  { property: { ...field('fps', 'Pictures judged', 'number', 1, 15), unit: 'a second' }, usual: 10 },
  {
    property: { ...field('width', 'Width judged', 'choice'), options: ['80', '160', '320'], words: { 80: '80 · least work', 160: '160 · as usual', 320: '320 · small things' } },
    usual: '160',
    shown: String,
    sent: Number,
  },
];

/** @type {MotionField[]} */
export const expert = [
  { property: { ...field('threshold', 'Change that counts', 'decimal', 4, 100), empty: 'by sensitivity', hint: 'grey levels, 4 to 100' } },
  { property: { ...field('noise', 'Above a pixel’s own noise', 'decimal', 1, 20), hint: 'times, 1 to 20' }, usual: 5 },
  {
    property: { ...field('area', 'Smallest thing', 'decimal', 0.01, 50), empty: 'by sensitivity', hint: '% of the picture, 0.01 to 50' },
    shown: (value) => Number((value * 100).toPrecision(4)),
    sent: (value) => Number((value / 100).toPrecision(6)),
  },
  {
    property: { ...field('frames', 'Pictures that must agree', 'choice'), options: frames, words: Object.fromEntries(frames.map((name) => [name, name.replace('/', ' of ')])) },
    usual: '2/3',
  },
];

/** Where the presets stand on the slider of sensitivity. */
export const presets = /** @type {const} */ ([['low', 25], ['medium', 50], ['high', 75]]);

/**
 * read is a setting's value in force as its control shows it.
 * @param {MotionField} field
 * @param {MotionSettings | undefined} settings
 * @returns {Value | undefined}
 */
export function read({ property, shown }, settings) {
  const value = /** @type {Record<string, any> | undefined} */ (settings)?.[property.name];
  if (value === null || value === undefined) return undefined;
  return shown ? shown(value) : value;
}

/**
 * change is what the bridge is to be told for a control's value; null is back
 * to the default.
 * @param {MotionField} field
 * @param {Value | null} value
 * @returns {Record<string, unknown>}
 */
export function change({ property, sent }, value) {
  return { [property.name]: value === null || !sent ? value : sent(value) };
}

/** @param {string} name @param {string} title @param {Property['type']} type @param {number} [min] @param {number} [max] @returns {Property} */
function field(name, title, type, min = 0, max = 0) {
  return { name, title, type, min, max };
}
