/**
 * The areas of a camera while somebody draws them: what there is, what is
 * selected, how to undo it, and what is still wrong. Knows nothing of the page.
 */
import { clamp, fewest, middle, most, problem } from './polygon.js';

/** @typedef {import('../net/types.js').Point} Point */
/** @typedef {import('../net/types.js').Polygon} Polygon */
/** @typedef {import('../net/types.js').MotionSettings} MotionSettings */
/** @typedef {'zone' | 'ignore'} Kind */
/** @typedef {{kind: Kind, name: string, points: Polygon}} Area   a mask has no name */

const mostAreas = 16; // of each kind
const longestName = 32;
const mostSteps = 200;

export class Draft {
  /** @type {Area[]} never changed in place */
  areas;
  /** Of the area that is worked on; -1: none. */
  selected = -1;
  /** Of its point; -1: none. */
  point = -1;
  /** True while the selected area gets its first points, one after the other. */
  drawing = false;
  /** @type {{areas: Area[], selected: number, drawing: boolean}[]} */ #past = [];
  #saved;
  #lastMove = '';

  /** @param {Pick<MotionSettings, 'ignore' | 'zones'>} settings */
  constructor({ ignore, zones }) {
    /** @type {Area[]} */
    const named = Object.entries(zones ?? {}).map(([name, points]) => ({ kind: 'zone', name, points }));
    this.areas = [...named, ...(ignore ?? []).map((points) => /** @type {Area} */ ({ kind: 'ignore', name: '', points }))];
    this.#saved = JSON.stringify(this.areas);
  }

  get area() {
    return this.areas[this.selected];
  }

  get changed() {
    return JSON.stringify(this.areas) !== this.#saved;
  }

  get undoable() {
    return this.#past.length > 0;
  }

  /** settings are what the bridge is to have. @returns {{ignore: Polygon[], zones: Record<string, Polygon>}} */
  settings() {
    return {
      ignore: this.areas.filter(({ kind }) => kind === 'ignore').map(({ points }) => points),
      zones: Object.fromEntries(this.areas.filter(({ kind }) => kind === 'zone').map(({ name, points }) => [name, points])),
    };
  }

  /** titleOf is what an area is called. @param {number} index */
  titleOf(index) {
    const area = this.areas[index];
    if (area?.kind === 'zone') return area.name || 'zone without a name';
    return `mask ${this.areas.slice(0, index + 1).filter(({ kind }) => kind === 'ignore').length}`;
  }

  /** problem says what keeps the areas from being saved, or nothing. */
  problem() {
    for (const [i, { kind, name, points }] of this.areas.entries()) {
      const wrong = problem(points) || (kind === 'zone' && this.#wrongName(name));
      if (wrong) return `${this.titleOf(i)} ${wrong}.`.replace(/^./, (first) => first.toUpperCase());
    }
    return '';
  }

  /** @param {string} name */
  #wrongName(name) {
    const trimmed = name.trim();
    if (trimmed === '') return 'needs one';
    if (trimmed !== name) return 'has spaces around its name';
    if ([...name].length > longestName) return `has a name of more than ${longestName} characters`;
    return this.areas.filter((area) => area.kind === 'zone' && area.name === name).length > 1 ? 'is there twice: give one of them another name' : '';
  }

  /** mayAdd says whether there is room for one more. @param {Kind} kind */
  mayAdd(kind) {
    return this.areas.filter((area) => area.kind === kind).length < mostAreas;
  }

  /** add begins a new area, empty or with these points. @param {Kind} kind @param {Polygon} [points] */
  add(kind, points = []) {
    if (!this.mayAdd(kind)) return;
    const taken = new Set(this.areas.map(({ name }) => name));
    let name = kind === 'zone' ? 'zone' : '';
    for (let n = 2; taken.has(name) && name; n++) name = `zone ${n}`;
    this.#step([...this.areas, { kind, name, points }]);
    this.select(this.areas.length - 1);
    this.drawing = points.length === 0;
  }

  /** select changes what is worked on. @param {number} index @param {number} [point] */
  select(index, point = -1) {
    if (index !== this.selected) this.finish();
    this.selected = index < this.areas.length ? index : -1;
    this.point = point;
    this.#lastMove = '';
  }

  /** finish ends drawing; what has too few points to be an area is no longer there. */
  finish() {
    if (!this.drawing) return;
    this.drawing = false;
    if ((this.area?.points.length ?? 0) < fewest) this.remove();
  }

  /** remove takes the selected area away. */
  remove() {
    if (!this.area) return;
    this.#step(this.areas.filter((_, i) => i !== this.selected));
    this.selected = this.point = -1;
    this.drawing = false;
  }

  /** rename names the selected zone. @param {string} name */
  rename(name) {
    if (this.area && this.area.name !== name) this.#change({ name }, `name ${this.selected}`);
  }

  /**
   * insert puts a point behind another one, into the middle of that edge if no
   * place is given. Where there are as many as may be, it does nothing.
   * @param {number} behind
   * @param {Point} [point]
   * @returns {boolean} whether it did
   */
  insert(behind, point) {
    const points = this.area?.points;
    if (!points || points.length >= most) return false;
    const a = points[behind] ?? /** @type {Point} */ ([0.5, 0.5]);
    const b = points[(behind + 1) % points.length] ?? a;
    this.#change({ points: points.toSpliced(behind + 1, 0, point ? clamp(point) : middle(a, b)) });
    this.point = behind + 1;
    return true;
  }

  /** move takes a point elsewhere; moves of the same point in a row are one step for undo. @param {number} index @param {Point} to */
  move(index, to) {
    const points = this.area?.points;
    if (!points?.[index]) return;
    this.#change({ points: points.with(index, clamp(to)) }, `move ${this.selected} ${index}`);
    this.point = index;
  }

  /** removePoint takes one away, but not of the last three. @param {number} index @returns {boolean} whether it did */
  removePoint(index) {
    const points = this.area?.points;
    if (!points?.[index] || (points.length <= fewest && !this.drawing)) return false;
    this.#change({ points: points.toSpliced(index, 1) });
    this.point = Math.min(index, points.length - 2);
    return true;
  }

  /** undo takes the last step back. */
  undo() {
    const before = this.#past.pop();
    if (!before) return;
    Object.assign(this, before);
    this.point = -1;
    this.#lastMove = '';
  }

  /** saved makes what there is now what is not changed. */
  saved() {
    this.#saved = JSON.stringify(this.areas);
  }

  /** @param {Partial<Area>} change of the selected area @param {string} [move] equal ones in a row are one step */
  #change(change, move = '') {
    const area = /** @type {Area} */ (this.area);
    this.#step(this.areas.with(this.selected, { ...area, ...change }), move);
  }

  /** @param {Area[]} areas @param {string} [move] */
  #step(areas, move = '') {
    if (move === '' || move !== this.#lastMove) this.#past.push({ areas: this.areas, selected: this.selected, drawing: this.drawing });
    if (this.#past.length > mostSteps) this.#past.shift();
    this.#lastMove = move;
    this.areas = areas;
  }
}
