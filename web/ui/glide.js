/** The page's one animation. */

const calm = window.matchMedia('(prefers-reduced-motion: reduce)');

/**
 * glide lets an element that has just been moved and resized appear to come
 * from where it was, unless its user prefers things not to move.
 * @param {HTMLElement} element
 * @param {DOMRect} from
 */
export function glide(element, from) {
  const to = element.getBoundingClientRect();
  if (calm.matches || to.width === 0 || from.width === 0) return;
  const shift = `translate(${from.left - to.left}px, ${from.top - to.top}px) scale(${from.width / to.width}, ${from.height / to.height})`;
  element.animate([{ transform: shift, transformOrigin: '0 0' }, { transform: 'none', transformOrigin: '0 0' }], {
    duration: 220,
    easing: 'cubic-bezier(.2, .8, .2, 1)',
  });
}
