// Opens a page in Chromium as a reader does, and prints what it saw as JSON; tests/commands/documents/page.rs judges. Needs npm's puppeteer-core and axe-core in
// NODE_PATH, which .ci/page installs.
//
//     node page.mjs CHROMIUM PAGE.html [FOLDER FOR PICTURES]

import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import path from 'node:path';

const require = createRequire(import.meta.url);
const puppeteer = require('puppeteer-core');
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
const [chromium, file, pictures] = process.argv.slice(2);
const url = pathToFileURL(path.resolve(file)).href;

const seen = { console: [], requests: [], axe: {} };

// What the reader's machine would be asked for besides the page itself.
const listen = (page) => {
  page.on('console', (message) => {
    if (['error', 'warn', 'warning'].includes(message.type())) seen.console.push(message.text());
  });
  page.on('pageerror', (error) => seen.console.push(String(error)));
  page.on('request', (request) => {
    const asked = request.url();
    if (asked.split('#')[0] !== url && !asked.startsWith('data:')) seen.requests.push(asked);
  });
};

const opened = async (browser, { scheme = 'light', width = 1280, script = true } = {}) => {
  const page = await browser.newPage();
  listen(page);
  await page.setViewport({ width, height: 900 });
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
  await page.setJavaScriptEnabled(script);
  await page.goto(url, { waitUntil: 'load' });
  return page;
};

// Serious and critical ones, each with the first places.
const violations = async (page) => {
  await page.evaluate(axe);
  const found = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
  const grave = found.violations.filter((violation) => ['serious', 'critical'].includes(violation.impact));
  return grave.map(({ id, help, nodes }) => ({ id, help, nodes: nodes.slice(0, 3).map((node) => node.html.slice(0, 200)) }));
};

const shown = (page) => page.evaluate(() => {
  const count = {};
  for (const group of document.querySelectorAll('g.series')) {
    const name = group.dataset.mechanism;
    count[name] = (count[name] || 0) + (getComputedStyle(group).display === 'none' ? 0 : 1);
  }
  return count;
});

// By the keyboard, as somebody without a mouse does.
const toggles = async (page) => {
  const first = '#toggles input';
  const name = await page.$eval(first, (box) => box.value);
  const names = await page.$$eval('#toggles input', (boxes) => boxes.map((box) => box.value));
  const before = await shown(page);
  await page.focus(first);
  await page.keyboard.press('Space');
  const without = await shown(page);
  await page.keyboard.press('Space');
  const again = await shown(page);
  await page.click('#toggles button[data-show=none]');
  const none = await shown(page);
  await page.click('#toggles button[data-show=all]');
  return { name, names, before, without, again, none, all: await shown(page) };
};

// The values of a column as they stand, its heading focused and Enter pressed once and twice.
const sorting = async (page) => {
  const column = (index) => page.$$eval('#points .sortable table tbody tr', (rows, index) =>
    rows.map((row) => row.cells[index].dataset.v).map((value) => (value === undefined ? null : Number(value))), index);
  const index = await page.$$eval('#points .sortable table thead th', (headings) =>
    headings.findIndex((heading) => heading.textContent.startsWith('response p50')));
  const button = `#points .sortable table thead th:nth-child(${index + 1}) button`;
  const before = await column(index);
  await page.focus(button);
  await page.keyboard.press('Enter');
  const ascending = await column(index);
  const said = await page.$eval(button, (button) => button.parentElement.getAttribute('aria-sort'));
  await page.keyboard.press('Enter');
  return { before, ascending, said, descending: await column(index) };
};

const tip = async (page) => {
  const point = await page.$('#figures .point');
  if (!point) return null;
  await point.scrollIntoView();
  const box = await point.boundingBox();
  await page.mouse.move(box.x + box.width / 2 + 1, box.y + box.height / 2 + 1);
  return page.$eval('#tip', (tip) => (tip.hidden ? null : tip.textContent));
};

const withoutScript = async (browser) => {
  const page = await opened(browser, { script: false });
  // Nothing runs in the page itself, but what it looks like can still be asked.
  const told = await page.evaluate(() => ({
    toggles: getComputedStyle(document.getElementById('toggles')).display,
    series: document.querySelectorAll('g.series').length,
    hidden: [...document.querySelectorAll('g.series')].filter((group) => getComputedStyle(group).display === 'none').length,
    titles: document.querySelectorAll('.point > title').length,
    points: document.querySelectorAll('.point').length,
    rows: document.querySelectorAll('#points tbody tr').length,
  }));
  await page.close();
  return told;
};

const openAll = (page) => page.evaluate(() => document.querySelectorAll('details').forEach((part) => { part.open = true; }));

const picture = async (page, name, options = {}) => {
  if (pictures) await page.screenshot({ path: path.join(pictures, `${name}.png`), ...options });
};

const browser = await puppeteer.launch({
  executablePath: chromium,
  args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--hide-scrollbars'],
});
try {
  const light = await opened(browser);
  seen.load_ms = await light.evaluate(() => performance.getEntriesByType('navigation')[0].loadEventEnd);
  seen.headings = await light.$$eval('h1, h2, h3, h4', (headings) => headings.map((heading) => Number(heading.tagName[1])));
  seen.answer_overflow_px = await light.$eval('#answer .scroll', (box) => box.scrollWidth - box.clientWidth);
  await picture(light, 'light', { fullPage: true });
  seen.axe.light = await violations(light);
  seen.toggles = await toggles(light);
  seen.sorting = await sorting(light);
  seen.tip = await tip(light);
  await openAll(light);
  seen.axe.opened = await violations(light);
  await light.close();

  const dark = await opened(browser, { scheme: 'dark' });
  await picture(dark, 'dark', { fullPage: true });
  seen.axe.dark = await violations(dark);
  await dark.close();

  const phone = await opened(browser, { width: 390 });
  seen.phone_overflow_px = await phone.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  await picture(phone, 'phone', { fullPage: true });
  if (pictures) await phone.pdf({ path: path.join(pictures, 'print.pdf'), format: 'A4', margin: { top: '14mm', bottom: '14mm', left: '12mm', right: '12mm' } });
  await phone.close();

  seen.without_script = await withoutScript(browser);
} finally {
  await browser.close();
}
console.log(JSON.stringify(seen));
