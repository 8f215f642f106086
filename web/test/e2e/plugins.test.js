import test, { after, before } from 'node:test';
import assert from 'node:assert/strict';
import { createServer, get } from 'node:http';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BridgeProcess, browser, open, patience, shots, until } from './harness.js';
import { Plugged, fields, plugin } from './plugged.js';

const axe = readFileSync(fileURLToPath(import.meta.resolve('axe-core/axe.min.js')), 'utf8');
const viewer = 'esb_page_test_viewer_0123456789abcdef';
const secret = 'tk_a_secret_that_is_never_shown';

let bridge, chromium;
before(async () => {
  [bridge, chromium] = await Promise.all([BridgeProcess.demo(), browser()]);
});
after(async () => {
  await chromium?.close();
  await bridge?.stop();
});

/** What the recorder of these tests keeps. */
const files = ['porch/2026-11-28/14-02-07_019ad1f2a7c07c3f9b6d.mkv.part', 'yard/2026-11-28/13-58-40_019ad1eeb8a17be2a1c4.mkv', 'porch/2026-11-27/22-10-31_019acd9a1b2c7d3e4f50.mkv'].map((name, i) => ({ name, size: 4_231_000 * (i + 1), changed: new Date(Date.now() - i * 40_000_000).toISOString() }));

/** The home of these tests: one plugin of each kind of trouble. */
function home() {
  const all = new Plugged();
  all.plugins = [
    plugin('phone', { summary: 'Sends to ntfy, with the picture.', fields, settings: { topic: 'my-cameras', program: '/usr/bin/ntfy', headers: { 'X-One': '1' } }, secrets: ['token'], log: ['INFO ready'], permissions: ['snapshot'] }),
    plugin('mail', { type: 'smtp', summary: 'Sends mail with the picture.', state: 'backoff', problem: 'It ended with code 3: cannot reach mail.local:587', next: new Date(Date.now() + 45_000).toISOString(), started: null, memory: 0, restarts: 4, log: Array.from({ length: 50 }, (_, i) => `ERROR try ${i}: dial tcp 192.0.2.7:587: connection refused`) }),
    plugin('finder', { type: 'person', summary: 'Finds people in pictures.', version: '', roles: ['detector'], state: 'bad_config', problem: 'labels: "persn" is not known, did you mean "person"?', dev: true, fields: [{ name: 'labels', type: 'strings' }], settings: { labels: ['persn'] } }),
    plugin('archive', { type: 'recorder', summary: 'Keeps a film of every event.', roles: ['sink'], state: 'disabled', files: true }),
  ];
  all.answers['GET plugins/archive/files'] = { json: { items: files } };
  all.failed = [
    { id: 'f1', instance: 'mail', route: 'night', event: 'e1', camera: 'yard', phase: 'begin', title: 'Motion in the yard', text: '', attempts: 4, at: new Date(Date.now() - 65_000).toISOString(), reason: 'the server says 550: no such user' },
  ];
  return all;
}

/** show opens the plugins of a home. */
async function show(t, all, options) {
  const page = await open(t, chromium, 'about:blank', options);
  await all.join(page);
  await page.goto(`${bridge.url}#/plugins`);
  await page.locator('.plugin').first().waitFor();
  return page;
}

const card = (page, name) => page.locator('.plugin').filter({ has: page.getByRole('heading', { name, exact: true }) });
const unfold = (page, name, title) => card(page, name).locator('summary', { hasText: title }).click();
const setting = (page, name, label) => card(page, name).getByLabel(label, { exact: true });
const fault = (page, name, field) => card(page, name).locator(`[data-field=${field}] .fault`);

test('each plugin says how it is, since when, why, and what happens next', async (t) => {
  const all = home();
  const page = await show(t, all);
  assert.deepEqual(await page.locator('.plugin h3').allTextContents(), ['phone', 'mail', 'finder', 'archive']);
  assert.deepEqual(await page.locator('.plugin .chip').allTextContents(), ['running', 'ended, starts again', 'needs other settings', 'switched off']);
  assert.match(await card(page, 'mail').locator('.since').textContent(), /^since \d\d:\d\d:\d\d · next start in \d\d s$/);
  await card(page, 'mail').getByText('It ended with code 3').waitFor();
  await card(page, 'finder').getByText('its files are not checked').waitFor();
  assert.equal(await card(page, 'phone').getByText('its files are not checked').isVisible(), false);
  await unfold(page, 'mail', 'What it said last');
  await card(page, 'mail').locator('pre').getByText('ERROR try 49').waitFor();
  await unfold(page, 'phone', 'About');
  const about = await card(page, 'phone').locator('dl').innerText();
  for (const text of ['1.0.0', '16.4 MB', 'snapshot', 'bridge.yaml:12']) assert.ok(about.includes(text), `${text} in ${about}`);
});

test('what changes is shown without a reload, and the countdown goes on', async (t) => {
  const all = home();
  const page = await show(t, all);
  const since = card(page, 'mail').locator('.since');
  const first = await since.textContent();
  await until(async () => (await since.textContent()) !== first, 'another second is counted');
  all.change('mail', { state: 'ready', problem: '', next: null });
  await card(page, 'mail').locator('.chip', { hasText: /^running$/ }).waitFor();
  assert.equal(await card(page, 'mail').locator('.problem').isVisible(), false);
  all.plugins = all.plugins.slice(0, 1);
  all.failed = [];
  all.tell();
  await until(async () => (await page.locator('.plugin').count()) === 1, 'the others are gone');
  assert.equal(await page.locator('.failed').isVisible(), false);
  all.plugins = [];
  all.tell();
  await page.getByText('No plugins yet').waitFor();
  await page.getByText('espcam-bridge plugin install').waitFor();
});

test('a test is really asked for, and its receipt or its failure is told in words', async (t) => {
  const all = home();
  const page = await show(t, all, { expect: /status of 50[23]/ });
  const outcome = card(page, 'phone').locator('.outcome');
  await page.getByRole('button', { name: 'Send a test: phone' }).click();
  await outcome.getByText('The test was sent. Sent to my-cameras.').waitFor();
  assert.equal(await outcome.getAttribute('role'), 'status');
  assert.deepEqual(all.told('POST', 'plugins/phone/test'), [{}]);
  all.answers['POST plugins/phone/test'] = { status: 502, json: { error: { code: 'denied', message: 'ntfy: 401 the token is wrong' } } };
  await page.getByRole('button', { name: 'Send a test: phone' }).click();
  await outcome.getByText('Ntfy: 401 the token is wrong.').waitFor();
  assert.equal(await outcome.getAttribute('data-how'), 'fault');
  // Who sends nothing is asked whether it would work.
  await page.getByRole('button', { name: 'Check: finder' }).click();
  await until(() => all.told('POST', 'plugins/finder/do').length === 1, 'the check');
  assert.deepEqual(all.told('POST', 'plugins/finder/do'), [{ action: 'check' }]);
});

test('restart, start now, off and on', async (t) => {
  const all = home();
  const page = await show(t, all);
  await page.getByRole('button', { name: 'Restart: phone' }).click();
  await card(page, 'phone').getByText('It is being started.').waitFor();
  await page.getByRole('button', { name: 'Start now: mail' }).click();
  await until(() => all.told('POST', 'plugins/mail/do').length === 1, 'the start');
  assert.deepEqual([all.told('POST', 'plugins/phone/do'), all.told('POST', 'plugins/mail/do')], [[{ action: 'restart' }], [{ action: 'restart' }]]);
  const able = page.getByRole('switch', { name: 'archive switched on' });
  assert.equal(await able.getAttribute('aria-checked'), 'false');
  assert.equal(await page.getByRole('button', { name: /: archive$/ }).count(), 0);
  await able.press('Space');
  await card(page, 'archive').locator('.chip', { hasText: /^running$/ }).waitFor();
  await able.click();
  await card(page, 'archive').locator('.chip', { hasText: 'switched off' }).waitFor();
  assert.deepEqual(all.told('PATCH', 'plugins/archive'), [{ enabled: true }, { enabled: false }]);
});

test('settings: a control for each kind, and only what was changed is sent', async (t) => {
  const all = home();
  const page = await show(t, all);
  await unfold(page, 'phone', 'Settings');
  const of = (label) => setting(page, 'phone', label);
  assert.equal(await of('Topic').inputValue(), 'my-cameras');
  assert.equal(await of('Headers').inputValue(), 'X-One: 1');
  assert.equal(await of('Program').inputValue(), '/usr/bin/ntfy');
  assert.equal(await of('Program').getAttribute('readonly'), '');
  await card(page, 'phone').getByText('Only the configuration file sets this: bridge.yaml:12.').waitFor();
  await card(page, 'phone').getByText('Where messages go. Example: my-cameras').waitFor();
  const save = card(page, 'phone').getByRole('button', { name: 'Save' });
  assert.equal(await save.isDisabled(), true);

  await of('Topic').fill('garden');
  await of('Priority').fill('5');
  await of('Wait').fill('1m30s');
  await card(page, 'phone').getByRole('switch', { name: 'Quiet' }).click();
  await of('Format').selectOption('markdown');
  await of('Tags').fill('cam\n\n porch ');
  await of('Headers').fill('');
  await save.click();
  await page.getByText('phone: the settings are saved.').waitFor();
  assert.deepEqual(all.told('PATCH', 'plugins/phone'), [{ settings: { topic: 'garden', priority: 5, wait: '1m30s', quiet: true, format: 'markdown', tags: ['cam', 'porch'], headers: null } }]);
  assert.equal(await of('Tags').inputValue(), 'cam\nporch');
  assert.equal(await save.isDisabled(), true);
  await of('Topic').fill('x');
  await card(page, 'phone').getByRole('button', { name: 'Undo changes' }).click();
  assert.equal(await of('Topic').inputValue(), 'garden');
});

test('a secret goes in and never comes out', async (t) => {
  const all = home();
  const page = await show(t, all);
  await unfold(page, 'phone', 'Settings');
  const box = setting(page, 'phone', 'Token');
  const standing = card(page, 'phone').locator('.standing-of:visible');
  assert.deepEqual([await box.getAttribute('type'), await box.inputValue(), await standing.textContent()], ['password', '', 'set']);
  await box.fill(secret);
  await box.press('Enter');
  await page.getByText('phone: the settings are saved.').waitFor();
  assert.deepEqual(all.told('PATCH', 'plugins/phone'), [{ settings: { token: secret } }]);
  assert.equal(await box.inputValue(), '');
  assert.ok(!(await page.content()).includes(secret));
  const kept = await page.evaluate(() => JSON.stringify([location.href, { ...localStorage }, { ...sessionStorage }, [...document.querySelectorAll('input, textarea')].map(({ value }) => value)]));
  assert.ok(!kept.includes(secret));

  await card(page, 'phone').getByRole('button', { name: 'Clear Token' }).click();
  assert.equal(await standing.textContent(), 'will be cleared');
  await card(page, 'phone').getByRole('button', { name: 'Save' }).click();
  await until(() => all.told('PATCH', 'plugins/phone').length === 2, 'the removal');
  assert.deepEqual(all.told('PATCH', 'plugins/phone')[1], { settings: { token: null } });
  await until(async () => (await standing.textContent()) === 'not set', 'the secret is gone');
  // What the file says is there again when the page takes its own value back.
  all.file = { priority: 2 };
  await setting(page, 'phone', 'Priority').fill('4');
  await card(page, 'phone').getByRole('button', { name: 'Save' }).click();
  await until(() => all.plugins[0].settings.priority === 4, 'it is set');
  await setting(page, 'phone', 'Priority').fill('');
  await card(page, 'phone').getByRole('button', { name: 'Save' }).click();
  await page.getByText('As the configuration file says: Priority.').waitFor();
  assert.equal(await setting(page, 'phone', 'Priority').inputValue(), '2');
});

test('what is wrong is said at its setting, by the page and by the bridge', async (t) => {
  const all = home();
  const page = await show(t, all, { expect: /status of 400/ });
  await unfold(page, 'phone', 'Settings');
  const of = (label) => setting(page, 'phone', label);
  const save = card(page, 'phone').getByRole('button', { name: 'Save' });
  await of('Priority').fill('9');
  await of('Topic').fill('');
  await of('Wait').fill('soon');
  await save.click();
  assert.deepEqual([await fault(page, 'phone', 'priority').textContent(), await fault(page, 'phone', 'topic').textContent()], ['This must be from 1 to 5.', 'This is needed.']);
  assert.match(await fault(page, 'phone', 'wait').textContent(), /such as 30s/);
  assert.equal(await of('Topic').evaluate((element) => document.activeElement === element), true);
  assert.deepEqual([await of('Topic').getAttribute('aria-invalid'), (await of('Topic').getAttribute('aria-describedby')).includes('topic-fault')], ['true', true]);
  assert.deepEqual(all.told('PATCH', 'plugins/phone'), []);

  all.answers['PATCH plugins/phone'] = { status: 400, json: { error: { code: 'invalid', message: 'topic: no spaces', field: 'settings.topic', problems: [{ field: 'settings.topic', message: 'a topic has no spaces' }, { field: 'settings.wait', message: 'at most 1h' }] } } };
  await of('Topic').fill('my cams');
  await of('Priority').fill('5');
  await of('Wait').fill('9h');
  await save.click();
  await fault(page, 'phone', 'topic').getByText('a topic has no spaces').waitFor();
  assert.equal(await fault(page, 'phone', 'wait').textContent(), 'at most 1h');
  assert.equal(await fault(page, 'phone', 'priority').textContent(), '');
  all.answers['PATCH plugins/phone'] = { status: 400, json: { error: { code: 'invalid', message: 'the bridge cannot write to its disk' } } };
  await save.click();
  await card(page, 'phone').getByRole('alert').getByText('cannot write to its disk').waitFor();
  assert.equal(await of('Topic').inputValue(), 'my cams');
});

test('what a person is writing is not overwritten, and is asked about before it is left', async (t) => {
  const all = home();
  const page = await show(t, all);
  await unfold(page, 'phone', 'Settings');
  const topic = setting(page, 'phone', 'Topic');
  await topic.fill('half wri');
  all.plugins[0].settings = { topic: 'changed elsewhere', format: 'markdown' };
  all.tell();
  await until(async () => (await setting(page, 'phone', 'Format').inputValue()) === 'markdown', 'the other settings follow');
  assert.equal(await topic.inputValue(), 'half wri');
  await page.getByRole('link', { name: 'Events' }).click();
  await page.getByRole('dialog', { name: 'Leave without saving?' }).waitFor();
  await page.getByRole('button', { name: 'Cancel' }).click();
  assert.equal(await topic.inputValue(), 'half wri');
  await page.getByRole('button', { name: 'Back' }).click();
  await page.getByRole('button', { name: 'Leave' }).click();
  await page.locator('espcam-wall').waitFor();
  await page.getByRole('link', { name: 'Plugins' }).click();
  await until(async () => (await topic.inputValue()) === 'changed elsewhere', 'nothing of it is left');
});

test('an alert that was given up can be sent again or dismissed', async (t) => {
  const all = home();
  all.failed.push({ ...all.failed[0], id: 'f2', title: 'Motion at <b>the door</b>', camera: 'porch' });
  const page = await show(t, all);
  const list = page.getByRole('region', { name: 'Alerts that were given up' });
  await list.getByText('the server says 550').first().waitFor();
  await list.getByText('Motion at <b>the door</b>').waitFor();
  await page.getByRole('button', { name: 'Send again: Motion in the yard for mail' }).click();
  await until(async () => (await list.locator('li').count()) === 1, 'it is gone');
  await page.getByRole('button', { name: 'Dismiss: Motion at <b>the door</b> for mail' }).click();
  await list.waitFor({ state: 'hidden' });
  assert.deepEqual([all.told('POST', 'alerts/failed/f1/do'), all.told('POST', 'alerts/failed/f2/do')], [[{ action: 'retry' }], [{ action: 'dismiss' }]]);
});

test('what plugins say is text', async (t) => {
  const hostile = '<img src=x onerror="document.title=1">';
  const all = new Plugged();
  all.plugins = [plugin('phone', { type: hostile, version: hostile, summary: hostile, problem: hostile, state: 'degraded', log: [hostile], permissions: [hostile], roles: ['notifier', hostile], source: hostile,
    fields: [{ name: 'topic', type: 'string', help: hostile, example: hostile, choices: [hostile] }], settings: { topic: hostile } })];
  all.answers['POST plugins/phone/test'] = { json: { ok: true, message: hostile } };
  all.plugins[0].files = true;
  all.answers['GET plugins/phone/files'] = { json: { items: [{ name: `${hostile}/${hostile}`, size: 1, changed: new Date().toISOString() }] } };
  const page = await show(t, all);
  for (const summary of await page.locator('.plugin summary').all()) await summary.click();
  await page.getByRole('button', { name: 'Send a test: phone' }).click();
  await card(page, 'phone').locator('.outcome').getByText(hostile).waitFor();
  await card(page, 'phone').getByRole('link', { name: hostile }).waitFor();
  assert.equal(await page.locator('.plugin img').count(), 0);
  assert.doesNotMatch(await page.title(), /^1$/);
});

test('the bridge of this program answers, and a plugin that cannot be listed says why', async (t) => {
  const page = await open(t, chromium, `${bridge.url}#/plugins`, { expect: /status of 503/ });
  await page.getByText('No plugins yet').waitFor();
  await page.route(/\/api\/v1\/plugins$/, (route) => route.fulfill({ status: 503, json: { error: { code: 'unavailable', message: 'the bridge is stopping' } } }));
  await page.reload();
  await page.getByRole('alert').getByText('The plugins cannot be listed: the bridge is stopping.').waitFor();
});

/** listener is a service that writes down what it is sent. */
async function listener(t) {
  const got = [];
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const piece of request) body += piece;
    got.push({ method: request.method, headers: request.headers, body: JSON.parse(body) });
    response.writeHead(listener.status).end();
  });
  listener.status = 200;
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  t.after(() => server.close());
  return { got, url: `http://127.0.0.1:${server.address().port}/hook` };
}

test('a real plugin: it runs, is tried, set, refused, restarted and switched off from the page', async (t) => {
  const { got, url } = await listener(t);
  const dir = process.env.ESPCAM_PLUGINS ?? fileURLToPath(new URL('../../../bin/plugins', import.meta.url));
  const real = await BridgeProcess.serve(
    `mqtt: {embedded: {listen: "127.0.0.1:0"}}\nhttp: {listen: "127.0.0.1:0", auth: false}\nplugins:\n  dir: ${dir}\n  instances:\n    hook: {type: webhook, dev: true, settings: {url: "${url}"}}\n`,
  );
  t.after(() => real.stop());
  const page = await open(t, chromium, `${real.url}#/plugins`, { expect: /status of (400|50[23])|WebSocket|ERR_CONNECTION/ });
  const chip = async (text) => {
    const is = card(page, 'hook').locator('.chip');
    await until(async () => (await is.textContent()).match(text), `the plugin is ${text}`).catch(async (error) => {
      throw new Error(`${error.message}: ${await card(page, 'hook').innerText()}\n${real.output}`);
    });
  };
  const send = async (count) => {
    await page.getByRole('button', { name: 'Send a test: hook' }).click();
    await until(() => got.length === count, `message ${count}`);
  };
  await chip(/^running$/);
  await card(page, 'hook').getByText('its files are not checked').waitFor();
  await send(1);
  await card(page, 'hook').getByText('The test was sent.').waitFor();
  assert.equal(got[0].body.phase, 'test');

  await unfold(page, 'hook', 'Settings');
  const save = async (label, value) => {
    await setting(page, 'hook', label).fill(value);
    await setting(page, 'hook', label).press('Enter');
  };
  await save('Token', secret);
  await page.getByText('hook: the settings are saved.').waitFor();
  await send(2);
  assert.equal(got[1].headers.authorization, `Bearer ${secret}`);
  await setting(page, 'hook', 'Method').selectOption('PUT');
  await card(page, 'hook').getByRole('button', { name: 'Save' }).click();
  await until(async () => !(await card(page, 'hook').locator('.changed').count()), 'it is saved');
  await send(3);
  assert.equal(got[2].method, 'PUT');
  await save('Body', '{{ wrong');
  await until(async () => (await card(page, 'hook').locator('.fault').allTextContents()).some((text) => text.includes('template')), 'the plugin refuses it');
  await card(page, 'hook').getByRole('button', { name: 'Undo changes' }).click();

  listener.status = 401;
  await send(4);
  await until(async () => (await card(page, 'hook').locator('.outcome').getAttribute('data-how')) === 'fault', 'the refusal');
  assert.match(await card(page, 'hook').locator('.outcome').textContent(), /401/);
  const answer = await (await fetch(`${real.url}api/v1/plugins`)).text();
  const { started } = JSON.parse(answer).items[0];
  await page.getByRole('button', { name: 'Restart: hook' }).click();
  await until(async () => {
    const [now] = (await (await fetch(`${real.url}api/v1/plugins`)).json()).items;
    return now.state === 'ready' && now.started !== started;
  }, 'another process');
  await chip(/^running$/);
  const able = page.getByRole('switch', { name: 'hook switched on' });
  await able.click();
  await chip('switched off');
  await able.click();
  await chip(/^running$/);
  for (const text of [answer, real.output, await page.content()]) assert.ok(!text.includes(secret) && !text.includes(`${new URL(url).port}/hook`));
});

test('the files of a plugin are listed once somebody looks, and again while somebody does', async (t) => {
  const all = home();
  const page = await show(t, all, { expect: /status of 503/ });
  const section = card(page, 'archive').locator('.files');
  assert.deepEqual([await section.isVisible(), await card(page, 'phone').locator('.files').isVisible()], [true, false]);
  assert.deepEqual(all.told('GET', 'plugins/archive/files'), []);
  await unfold(page, 'archive', 'Files');
  await until(async () => (await section.locator('li').count()) === 3, 'the list');
  assert.equal(await section.locator('.count').textContent(), '3');
  assert.match(await section.locator('li').nth(1).innerText(), /^yard\/2026-11-28\/13-58-40_019ad1eeb8a17be2a1c4.mkv\s*8\.5 MB · .*\d\d:\d\d:\d\d$/);
  all.answers['GET plugins/archive/files'] = { json: { items: Array.from({ length: 500 }, (_, i) => ({ ...files[0], name: `${i}.mkv` })) } };
  await section.getByText('The newest 500 are shown.').waitFor({ timeout: 3 * patience });
  assert.equal(await section.locator('.count').textContent(), '500+');
  await unfold(page, 'archive', 'Files');
  all.answers['GET plugins/archive/files'] = { status: 503, json: { error: { code: 'unavailable', message: 'the files of the plugin archive cannot be read' } } };
  await unfold(page, 'archive', 'Files');
  await section.getByText('the files of the plugin archive cannot be read.').waitFor();
});

/** raw asks for a path as it stands, which fetch would not. */
function raw(url, path, headers) {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    get({ hostname, port, path, headers }, async (response) => {
      let body = '';
      for await (const piece of response) body += piece;
      resolve({ status: response.statusCode, headers: response.headers, body });
    }).on('error', reject);
  });
}

test('a file of a plugin is downloaded by an admin, and nothing else by anybody', async (t) => {
  const admin = 'esb_page_test_admin_0123456789abcdef';
  const real = await BridgeProcess.serve(
    `mqtt: {embedded: {listen: "127.0.0.1:0"}}\nhttp:\n  listen: "127.0.0.1:0"\n  tokens:\n    - {name: boss, token: "${admin}", role: admin}\n    - {name: looker, token: "${viewer}", role: viewer}\nplugins:\n  instances:\n    videos: {type: recorder, enabled: false}\n    other: {type: recorder, enabled: false}\n`,
  );
  t.after(() => real.stop());
  const content = Buffer.from(Array.from({ length: 100_000 }, (_, i) => i % 251));
  const put = (path, text) => {
    mkdirSync(dirname(join(real.dir, 'data/plugins', path)), { recursive: true });
    writeFileSync(join(real.dir, 'data/plugins', path), text);
  };
  put('videos/files/porch/2026-11-28/14-02-07 ü 50%.mkv', content);
  put('videos/own', 'its own');
  put('other/files/theirs', 'theirs');
  symlinkSync('/etc/passwd', join(real.dir, 'data/plugins/videos/files/passwd'));
  symlinkSync('../own', join(real.dir, 'data/plugins/videos/files/own'));

  const page = await open(t, chromium, `${real.url}#/plugins`, { expect: /status of 401|WebSocket|ERR_CONNECTION/ });
  await page.getByLabel('Token').fill(admin);
  await page.keyboard.press('Enter');
  await unfold(page, 'videos', 'Files');
  const links = card(page, 'videos').locator('.files').getByRole('link');
  await links.first().waitFor();
  assert.deepEqual(await links.allTextContents(), ['porch/2026-11-28/14-02-07 ü 50%.mkv']);
  const [download] = await Promise.all([page.waitForEvent('download'), links.click()]);
  assert.equal(download.suggestedFilename(), '14-02-07 ü 50%.mkv');
  assert.ok(readFileSync(await download.path()).equals(content));

  const base = '/api/v1/plugins/videos/files';
  const as = (token) => ({ Authorization: `Bearer ${token}` });
  const file = `${base}/porch/2026-11-28/14-02-07%20%C3%BC%2050%25.mkv`;
  const part = await raw(real.url, file, { ...as(admin), Range: 'bytes=65-69' });
  assert.deepEqual([part.status, part.body, part.headers['content-type'], part.headers['x-content-type-options']], [206, 'ABCDE', 'video/matroska', 'nosniff']);
  for (const path of [base, file]) assert.deepEqual([(await raw(real.url, path, as(viewer))).status, (await raw(real.url, path)).status], [403, 401]);
  for (const path of ['/passwd', '/own', '/../own', '/..%2fown', '/%2e%2e/own', '/%2e%2e%2f..%2fother%2ffiles%2ftheirs', '/%2fetc%2fpasswd', '//etc/passwd', '/porch', '/porch/', '/', '/theirs', '/none']) {
    const answer = await raw(real.url, base + path, as(admin));
    assert.deepEqual([answer.status, JSON.parse(answer.body).error.code], [404, 'not_found'], path);
  }
});

test('who is no admin sees no plugins', async (t) => {
  const guarded = await BridgeProcess.serve(`mqtt: {embedded: {listen: "127.0.0.1:0"}}\nhttp:\n  listen: "127.0.0.1:0"\n  tokens:\n    - {name: looker, token: "${viewer}", role: viewer}\n`);
  t.after(() => guarded.stop());
  const page = await open(t, chromium, `${guarded.url}#/plugins`, { expect: /status of 401|WebSocket|ERR_CONNECTION/ });
  await page.getByLabel('Token').fill(viewer);
  await page.keyboard.press('Enter');
  await page.getByText('Plugins are for admins').waitFor();
  assert.equal(await page.getByRole('link', { name: 'Plugins' }).isVisible(), false);
  assert.equal((await page.request.get(`${guarded.url}api/v1/plugins`)).status(), 403);
});

for (const [width, height] of [[360, 740], [1280, 900]]) {
  for (const colorScheme of ['dark', 'light']) {
    test(`${width} px, ${colorScheme}: nothing sticks out, targets are large enough, no serious accessibility fault`, async (t) => {
      const page = await show(t, home(), { viewport: { width, height }, colorScheme, init: axe });
      await page.screenshot({ path: join(shots, `plugins-${width}-${colorScheme}.png`), fullPage: true });
      for (const summary of await page.locator('.plugin summary:visible').all()) await summary.click();
      await setting(page, 'phone', 'Topic').fill('');
      await card(page, 'phone').getByRole('button', { name: 'Save' }).click();
      await page.getByRole('button', { name: 'Send a test: phone' }).click();
      await card(page, 'phone').getByText('The test was sent.').waitFor();
      const seen = await page.evaluate(() => ({
        width: document.documentElement.scrollWidth,
        small: [...document.querySelectorAll('button, input, select, textarea, summary, a')]
          .filter((one) => one.checkVisibility())
          .map((one) => ({ name: one.getAttribute('aria-label') ?? one.textContent ?? one.id, box: one.getBoundingClientRect() }))
          .filter(({ box }) => box.width < 24 || box.height < 24)
          .map(({ name, box }) => `${name}: ${box.width} x ${box.height}`),
      }));
      assert.deepEqual(seen, { width, small: [] });
      await until(() => page.evaluate(() => document.getAnimations().every(({ playState, effect }) => playState !== 'running' || effect.target.closest('.boxes'))), 'everything stands still');
      const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
      const bad = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical').flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) => `${id} ${target}: ${failureSummary}`));
      assert.deepEqual(bad, []);
      await page.screenshot({ path: join(shots, `plugins-open-${width}-${colorScheme}.png`), fullPage: true });
      t.diagnostic(`pictures are in ${shots}`);
    });
  }
}
