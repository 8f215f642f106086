import test from 'node:test';
import assert from 'node:assert/strict';
import { addressOf } from '../../plugins/source.js';
import { control, faults, hint, read, shown, titleOf } from '../../plugins/values.js';
import { facts, given, mayTest, stateOf, when } from '../../plugins/words.js';
import { Bridge } from '../../net/bridge.js';

const field = (type, more = {}) => ({ name: 'server_url', type, ...more });

test('each kind of setting has its control', () => {
  const of = (type, more) => control(field(type, more));
  assert.deepEqual(['string', 'integer', 'number', 'duration'].map((type) => of(type)), Array(4).fill('text'));
  assert.deepEqual([of('boolean'), of('strings'), of('map'), of('string', { choices: ['a'] })], ['switch', 'lines', 'lines', 'select']);
  assert.equal(of('string', { secret: true, choices: ['a'] }), 'secret');
  assert.deepEqual([of('string', { file_only: true, secret: true }), of('boolean', { file_only: true }), of('map', { file_only: true })], ['text', 'text', 'lines']);
  assert.deepEqual([control(field('string'), 'a\nb'), control(field('string'), 'a')], ['lines', 'text']);
  assert.equal(titleOf(field('string')), 'Server url');
});

test('a value is shown and read back as it was', () => {
  for (const [type, value] of [
    ['string', 'https://ntfy.sh'], ['string', ' a space '], ['integer', 5], ['integer', -5], ['number', 0.25], ['boolean', true], ['boolean', false],
    ['strings', ['a', 'b c']], ['map', { 'X-One': '1', Authorization: 'Basic a=b:c' }], ['map', { empty: '' }], ['duration', '1h30m'],
  ]) assert.deepEqual(read(field(type), shown(field(type), value)), { value }, `${type} ${JSON.stringify(value)}`);
  assert.deepEqual(read(field('map'), '{"X-One": "1"}'), { value: { 'X-One': '1' } });
  assert.deepEqual([shown(field('string'), null), shown(field('integer'), undefined), shown(field('string'), { odd: 1 })], ['', '', '{"odd":1}']);
});

test('nothing is back to the default, unless something is needed', () => {
  for (const type of ['string', 'integer', 'strings', 'map', 'duration']) assert.deepEqual(read(field(type), ' '), { value: null });
  assert.match(read(field('string', { required: true }), '').problem, /needed/);
  assert.deepEqual(read(field('string', { required: true, default: 'x' }), ''), { value: null });
});

test('what cannot be is said before it is sent', () => {
  const problem = (type, text, more) => read(field(type, more), text).problem;
  assert.match(problem('integer', '1.5'), /whole number/);
  assert.match(problem('integer', 'many'), /must be a number/);
  assert.match(problem('number', 'Infinity'), /must be a number/);
  assert.match(problem('integer', '6', { min: 1, max: 5 }), /from 1 to 5/);
  assert.equal(problem('integer', '6', { min: 0, max: 0 }), undefined);
  for (const text of ['30', 'soon', '5 m', '1d', '-3s']) assert.match(problem('duration', text), /30s, 5m or 1h30m/, text);
  assert.match(problem('map', 'A: 1\nnonsense'), /“nonsense” is not/);
});

test('a hint has help, example, range and default, but never that of a secret', () => {
  assert.equal(hint(field('integer', { help: 'how urgent', example: '4', min: 1, max: 5, default: 3 })), 'How urgent. Example: 4 · 1 to 5 · unless set: 3');
  assert.equal(hint(field('map', { help: 'Headers.' })), 'Headers. One “name: value” a line');
  assert.equal(hint(field('strings', { default: ['a', 'b'] })), 'Unless set: a, b · one a line');
  assert.equal(hint(field('string', { secret: true, default: 'hidden' })), '');
});

test('what the bridge finds wrong is put where it is', () => {
  const fields = [{ name: 'topic', type: 'string' }, { name: 'priority', type: 'integer' }];
  const of = (fault) => Object.fromEntries(faults({ code: 'invalid', message: 'wrong', ...fault }, fields));
  assert.deepEqual(of({ field: 'settings.topic' }), { topic: 'wrong' });
  assert.deepEqual(of({ field: 'topic' }), { topic: 'wrong' });
  assert.deepEqual(of({}), { '': 'wrong' });
  assert.deepEqual(of({ field: 'settings.other' }), { '': 'wrong' });
  assert.deepEqual(of({ problems: [{ field: 'settings.topic', message: 'a.' }, { field: 'settings.priority', message: 'b.' }, { field: 'settings.topic', message: 'c.' }] }), { topic: 'a. c.', priority: 'b.' });
});

test('every state has a word, a colour and a sign', () => {
  const all = ['disabled', 'missing', 'untrusted', 'starting', 'configuring', 'ready', 'degraded', 'draining', 'stopped', 'backoff', 'tripped', 'bad_config', 'incompatible'];
  for (const state of all) assert.ok(stateOf(state).word && stateOf(state).mood && stateOf(state).icon, state);
  assert.equal(stateOf('ready').mood, 'live');
  assert.deepEqual(stateOf('half_asleep'), { word: 'half asleep', mood: 'off', icon: 'clock' });
});

test('since when, and when it starts again', () => {
  const now = new Date(2026, 10, 28, 14, 5, 10).getTime();
  const at = (ms) => new Date(now + ms).toISOString();
  assert.equal(when({ since: at(-183_000), next: null }, now), 'since 14:02:07');
  assert.equal(when({ since: at(-3000), next: at(11_200) }, now), 'since 14:05:07 · next start in 12 s');
  assert.equal(when({ since: null, next: at(-1) }, now), 'next start now');
  assert.equal(given({ instance: 'phone', attempts: 1, at: at(-183_000) }, now), '14:02:07 · phone · 1 attempt');
});

test('facts leave out what is not known', () => {
  const bare = { type: 'ntfy', version: '', roles: [], memory: 0, started: null, restarts: 0, permissions: [], source: '' };
  assert.deepEqual(facts(bare, 0), [['Type', 'ntfy'], ['Restarts', '0'], ['May', 'nothing of the bridge']]);
  assert.equal(mayTest(bare), false);
  assert.equal(mayTest({ roles: ['sink', 'notifier'] }), true);
});

test('the page knows that plugins changed, and asks anew after each welcome', () => {
  const bridge = new Bridge(() => null);
  bridge.receive({ type: 'welcome', cameras: [] });
  bridge.receive({ type: 'plugins' });
  assert.equal(bridge.plugins.value, 2);
});

test('a file is downloaded by its whole name, whatever is in it', () => {
  assert.equal(addressOf('videos', 'porch/2026-09-21/14-13-20_01a.mkv'), 'api/v1/plugins/videos/files/porch/2026-09-21/14-13-20_01a.mkv');
  assert.equal(addressOf('videos', 'a b/50% ü?#&.mkv'), 'api/v1/plugins/videos/files/a%20b/50%25%20%C3%BC%3F%23%26.mkv');
});
