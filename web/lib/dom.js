/**
 * Building elements. Text always becomes text nodes and nothing here parses
 * markup, so a camera that calls itself `<img onerror=…>` is just oddly named.
 * Inline styles and inline handlers are refused, as the page's content security
 * policy refuses them too.
 */

/** @typedef {Node | string | number | null | undefined | false} Child */

/**
 * Props are attributes, except `on` (event name to listener) and `class`.
 * A value of true sets an empty attribute; false, null and undefined set none.
 * @typedef {{[name: string]: unknown, on?: Record<string, (event: any) => void>}} Props
 */

/**
 * h makes an element.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Props | null} [props]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function h(tag, props, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) {
    if (name === 'on') {
      for (const [event, listener] of Object.entries(props?.on ?? {})) element.addEventListener(event, listener);
    } else {
      setAttribute(element, name, value);
    }
  }
  element.append(...present(children));
  return element;
}

/**
 * s makes an element of a drawing.
 * @template {keyof SVGElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, unknown>} attributes
 * @param {...Child} children
 * @returns {SVGElementTagNameMap[K]}
 */
export function s(tag, attributes, ...children) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) setAttribute(element, name, value);
  element.append(...present(children));
  return element;
}

/**
 * setAttribute sets, or for false, null and undefined removes, an attribute.
 * @param {Element} element
 * @param {string} name
 * @param {unknown} value
 */
export function setAttribute(element, name, value) {
  if (name === 'style' || /^on/i.test(name)) throw new Error(`attribute ${name} is not allowed: use a class or \`on\``);
  if (value === false || value === null || value === undefined) {
    element.removeAttribute(name);
    return;
  }
  const text = value === true ? '' : String(value);
  if (element.getAttribute(name) !== text) element.setAttribute(name, text);
}

/**
 * setText replaces an element's content by text, touching the document only
 * when the text is another one.
 * @param {Node} element
 * @param {string} text
 */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * follow goes where a link leads without loading anything, unless its user wants
 * another tab or window for it.
 * @param {MouseEvent} event
 * @param {() => void} go
 */
export function follow(event, go) {
  if (event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  go();
}

/**
 * fill replaces an element's children.
 * @param {Element} element
 * @param {...Child} children
 */
export function fill(element, ...children) {
  element.replaceChildren(...present(children));
}

/**
 * find returns the element for a selector that must be there.
 * @param {string} selector
 * @returns {HTMLElement}
 */
export function find(selector) {
  const element = document.querySelector(selector);
  if (!(element instanceof HTMLElement)) throw new Error(`the page has no ${selector}`);
  return element;
}

/** @param {Child[]} children @returns {(Node | string)[]} */
function present(children) {
  /** @type {(Node | string)[]} */
  const out = [];
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    out.push(typeof child === 'number' ? String(child) : child);
  }
  return out;
}
