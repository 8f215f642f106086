/** Questions that the page asks before it does something. */
import { h } from '../lib/dom.js';

/**
 * confirm asks, and answers true only for yes.
 * @param {{title: string, text: string, yes: string}} question
 * @returns {Promise<boolean>}
 */
export function confirm({ title, text, yes }) {
  const dialog = h(
    'dialog',
    { class: 'question', 'aria-labelledby': 'question-title' },
    h(
      'form',
      { method: 'dialog' },
      h('h2', { id: 'question-title' }, title),
      h('p', null, text),
      h('div', { class: 'buttons' }, h('button', { value: 'no' }, 'Cancel'), h('button', { value: 'yes', class: 'strong' }, yes)),
    ),
  );
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(dialog.returnValue === 'yes');
    });
  });
}
