// The rating page in a real browser, on a real server with a real study: what a rater does, and what goes wrong for them.

import { randomUUID } from 'node:crypto';
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findBrowser, openBrowser } from '../support/browser.js';
import { type Lab, startLab } from '../support/lab.js';
import { frozenBenchmark } from '../support/study-lab.js';
import { mutate } from '../support/study-raters.js';

const program = findBrowser();
/** For a machine that has much else to do. */
const PATIENT_MS = 30_000;

describe.skipIf(!program)('the rating page', () => {
  let lab: Lab;
  let browser: Browser;
  let benchmarkId: string;
  /** Of one study that takes all, without checks; each test has a rater of its own. */
  let links: string[];
  const contexts: BrowserContext[] = [];

  beforeAll(async () => {
    [lab, browser] = await Promise.all([startLab(), openBrowser(program!)]);
    benchmarkId = `Benchmark_${(await frozenBenchmark(lab.services, 5)).benchmark.id}`;
    links = (await openStudy({ raters: 4 })).links;
  }, 120_000);
  afterAll(async () => {
    for (const context of contexts) await context.close();
    await browser?.close();
    await lab?.close();
  });

  const step = (name: string, id: string, more: object = {}) =>
    mutate(lab, name, { id, ...more }, 'study { id }');

  /** An open study of four pairs and a practice item, and the links of its raters. */
  async function openStudy(
    more: object,
    names = ['keys', 'touch', 'offline', 'tabs'],
  ): Promise<{ id: string; links: string[] }> {
    const { study, userErrors } = await mutate<{ study: { id: string } | null }>(
      lab,
      'createStudy',
      {
        name: 'Which looks better?',
        benchmarkId,
        practice: [{ position: 0, feedback: 'The left one is blurred.' }],
        completionCode: 'C0DE-7',
        completionUrl: 'https://example.org/done?cc={code}',
        ...more,
      },
      'study { id }',
    );
    expect(userErrors).toEqual([]);
    const { id } = study!;
    await step('pilotStudy', id, { studies: 1 });
    await step('openStudy', id);
    const { invitations } = await mutate<{ invitations: { path: string }[] }>(
      lab,
      'inviteStudyRaters',
      { studyId: id, names },
      'invitations { path }',
    );
    return { id, links: invitations.map(({ path }) => lab.url + path) };
  }

  /** What a rater has said, in order. */
  async function stored(rater: string) {
    const { rows } = await lab.services.store.pool.query<{
      kind: string;
      answers: number[];
      response_ms: number | null;
      slot_id: string;
    }>(
      `SELECT event.kind, event.answers, event.response_ms, event.slot_id FROM study_event AS event
       JOIN study_rater AS rater ON rater.id = event.rater_id JOIN lab_user ON lab_user.id = rater.user_id
       WHERE lab_user.name = $1 ORDER BY event.number`,
      [rater],
    );
    return rows;
  }

  /** A page whose complaints, and whose requests to other places, fail the test. */
  async function openPage(url: string, options: BrowserContextOptions = {}, context?: BrowserContext) {
    const own = context ?? (await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options }));
    if (!context) contexts.push(own);
    own.setDefaultTimeout(PATIENT_MS);
    const page = await own.newPage();
    const complaints: string[] = [];
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error' && !message.text().includes('ERR_INTERNET_DISCONNECTED'))
        complaints.push(message.text());
    });
    page.on('request', (request) => {
      if (!request.url().startsWith(lab.url)) complaints.push(`asks ${request.url()}`);
    });
    await page.goto(url);
    return { page, complaints, context: own };
  }

  const press = (page: Page, name: string) => page.getByRole('button', { name, exact: true }).click();
  const ready = (page: Page) => page.locator('.screen:not([aria-busy])').waitFor();
  const heading = (page: Page, name: string) => page.getByRole('heading', { name }).waitFor();
  const saved = (page: Page, done: string) => page.locator('.count', { hasText: done }).waitFor();
  const address = (page: Page) => page.locator('.candidate img').first().getAttribute('src');

  async function begin(page: Page): Promise<void> {
    await press(page, 'Start');
    await heading(page, 'Before you begin');
    await page.getByLabel('I have read this and agree to take part.').check();
    await press(page, 'Continue');
    await heading(page, 'What to do');
    await press(page, 'Start');
    await ready(page);
  }

  /** Waits until there is a screen to rate, or this heading instead; says which. */
  async function standsAt(page: Page, end: string): Promise<boolean> {
    const screen = page.locator('.screen:not([aria-busy])');
    await screen.or(page.getByRole('heading', { name: end })).waitFor();
    return screen.isVisible();
  }

  /** Answers the screen that is shown by keys; an instruction is followed, or answered as `obey` says. True for such a check. */
  async function answerByKeys(page: Page, keys = '231231', obey = (told: string) => told): Promise<boolean> {
    await ready(page);
    const told = page.locator('.instruction');
    const text = (await told.count()) > 0 ? await told.textContent() : '';
    const value = /answer (\d)/.exec(text!)?.[1];
    await page.keyboard.type(value ? obey(value) : keys);
    const before = value ? text : await address(page);
    await page.keyboard.press('Enter');
    // Another screen, or another view, has taken its place.
    await (value ? told : page.locator(`.candidate img[src="${before}"]`)).waitFor({ state: 'detached' });
    return value !== undefined;
  }

  test('a study by keyboard, from the link through practice to the completion code; undo', async () => {
    const { page, complaints } = await openPage(links[0]!);
    // The visit alone signs nobody in and takes no place.
    await heading(page, 'Welcome');
    expect(await page.context().cookies()).toEqual([]);
    await press(page, 'Start');
    await heading(page, 'Before you begin');
    expect(page.url()).not.toContain('#');
    await page.getByText('consent text, version 1').waitFor();
    // Without the box nothing goes on.
    await press(page, 'Continue');
    expect(await page.getByRole('heading', { name: 'What to do' }).count()).toBe(0);
    await page.getByLabel('I have read this and agree to take part.').check();
    await press(page, 'Continue');
    await page.getByText('How real does the painted part look?').waitFor();
    expect(await stored('keys')).toEqual([]);
    await press(page, 'Start');

    await page.getByText('Practice: this does not count').waitFor();
    await answerByKeys(page);
    await page.getByText('The left one is blurred.').waitFor();
    await page.getByText('From here on your answers count.').waitFor();
    await page.getByRole('button', { name: 'Next' }).press('Enter');

    // Keys: an incomplete screen stays; Backspace takes back one answer; arrows move.
    await ready(page);
    const first = await address(page);
    await page.keyboard.type('11');
    await page.keyboard.press('Enter');
    await page.getByText('4 answers are missing.').waitFor();
    const pressed = page.locator('.value[aria-pressed="true"]');
    expect(await pressed.count()).toBe(2);
    await page.keyboard.press('Backspace');
    expect(await pressed.count()).toBe(1);
    await page.keyboard.press('ArrowUp');
    await page.keyboard.press('ArrowLeft');
    await page.keyboard.type('3');
    expect(await pressed.first().textContent()).toContain('3');
    await page.keyboard.type('33333');
    await page.keyboard.press('Enter');
    await page.locator(`.candidate img[src="${first}"]`).waitFor({ state: 'detached' });
    await saved(page, '2 of 5');
    // Backspace on an untouched screen: the last one again, with what was answered.
    await ready(page);
    await page.keyboard.press('Backspace');
    await page.locator(`.candidate img[src="${first}"]`).first().waitFor();
    await saved(page, '1 of 5');
    await ready(page);
    expect(await pressed.count()).toBe(6);
    await page.keyboard.type('123123');
    await page.keyboard.press('Enter');
    await saved(page, '2 of 5');
    while (await standsAt(page, 'Thank you')) await answerByKeys(page);
    await heading(page, 'Thank you');
    await page.getByText('C0DE-7').waitFor();
    expect(await page.getByRole('link', { name: 'Finish at example.org' }).getAttribute('href')).toBe(
      'https://example.org/done?cc=C0DE-7',
    );
    const events = await stored('keys');
    expect(events.map(({ kind }) => kind)).toEqual(['RATE', 'RATE', 'UNDO', ...new Array(4).fill('RATE')]);
    for (const { kind, response_ms: ms } of events) if (kind === 'RATE') expect(ms).toBeGreaterThan(0);
    expect(complaints).toEqual([]);
  }, 180_000);

  test('by touch at 360 px; pictures enlarge; a reload in the middle goes on where it was', async () => {
    const phone = { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true } as const;
    const { page, complaints, context } = await openPage(links[1]!, { ...phone, colorScheme: 'dark' });
    await begin(page);
    const tap = (name: string) => page.getByRole('button', { name, exact: true }).tap();
    const overflow = () =>
      page.evaluate<number>('document.documentElement.scrollWidth - document.documentElement.clientWidth');
    expect(await overflow()).toBe(0);
    const boxes = await Promise.all(
      (await page.locator('.candidate img').all()).map((image) => image.boundingBox()),
    );
    expect(boxes).toHaveLength(2);
    // Both as large as each other, side by side.
    expect([boxes[0]!.width, boxes[0]!.height, boxes[0]!.y]).toEqual([
      boxes[1]!.width,
      boxes[1]!.height,
      boxes[1]!.y,
    ]);
    await tap('Enlarge: Left');
    const zoom = page.getByRole('dialog', { name: 'Enlarged picture' });
    await zoom.getByText('Left').waitFor();
    await zoom.getByRole('button', { name: 'Next picture' }).tap();
    await zoom.getByText('Right').waitFor();
    await zoom.getByRole('button', { name: 'Close' }).tap();
    await zoom.waitFor({ state: 'detached' });
    const answer = async () => {
      await ready(page);
      for (const group of await page.getByRole('group').all())
        await group.getByRole('button', { name: /^2/ }).tap();
      await tap('Next');
    };
    await answer();
    await page.getByText('The left one is blurred.').waitFor();
    await tap('Next');
    await ready(page);
    for (const box of await page.locator('.value').all())
      expect((await box.boundingBox())!.height).toBeGreaterThanOrEqual(44);
    await answer();
    await page.locator('.count', { hasText: /^[23] of 5$/ }).waitFor();
    await page.locator('#saving:empty').waitFor({ state: 'attached' });
    const count = (await stored('touch')).length;
    await page.reload();
    await ready(page);
    await answer();
    await expect.poll(async () => (await stored('touch')).length, { timeout: PATIENT_MS }).toBe(count + 1);
    // A page that was closed, on another day: the visit alone takes nothing over.
    await page.close();
    const { page: later } = await openPage(`${lab.url}/rate`, {}, context);
    await later.getByText(/You have done \d of 5/).waitFor();
    await press(later, 'Continue');
    await ready(later);
    expect(complaints).toEqual([]);
  }, 180_000);

  test('offline for two answers and an undo: they are kept, sent in order once there is a connection, and each is stored once', async () => {
    const { page, complaints, context } = await openPage(links[2]!);
    await begin(page);
    await answerByKeys(page);
    await page.getByText('The left one is blurred.').waitFor();
    await page.keyboard.press('Enter');
    await ready(page);
    // Pictures are loaded ahead: of this screen, the one before, and the three to come.
    const pictures = `performance.getEntriesByType('resource').filter(({ name }) => name.includes('/study-pictures/')).length`;
    await expect.poll(() => page.evaluate<number>(pictures), { timeout: PATIENT_MS }).toBe(5 * 3);
    await context.setOffline(true);
    await answerByKeys(page, '111111');
    await answerByKeys(page, '222222');
    const line = page.getByRole('status').filter({ hasText: 'Not saved yet: 2 answers, trying again.' });
    await line.waitFor();
    expect(await stored('offline')).toHaveLength(1);
    await ready(page);
    await page.keyboard.press('Backspace');
    await ready(page);
    expect(await page.locator('.value[aria-pressed="true"]').count()).toBe(6);
    await answerByKeys(page, '333333');
    await context.setOffline(false);
    await expect.poll(async () => (await stored('offline')).length, { timeout: PATIENT_MS }).toBe(5);
    await saved(page, '3 of 5');
    await page.locator('#saving:empty').waitFor({ state: 'attached' });
    const events = await stored('offline');
    expect(events.map(({ kind, answers }) => [kind, answers.join('')])).toEqual([
      ['RATE', expect.any(String)],
      ['RATE', '111111'],
      ['RATE', '222222'],
      ['UNDO', ''],
      ['RATE', '333333'],
    ]);
    expect(new Set(events.map(({ slot_id }) => slot_id)).size).toBe(3);
    // What a page could not send before it was closed goes out when the rater comes back.
    await answerByKeys(page, '123123');
    await saved(page, '4 of 5');
    await ready(page);
    await context.setOffline(true);
    await page.keyboard.type('321321');
    await page.keyboard.press('Enter');
    await page.getByText('Not saved yet: 1 answer').waitFor();
    await page.close();
    await context.setOffline(false);
    const { page: later } = await openPage(`${lab.url}/rate`, {}, context);
    await press(later, 'Continue');
    await heading(later, 'Thank you');
    expect(await stored('offline')).toHaveLength(7);
    expect(complaints).toEqual([]);
  }, 180_000);

  test('two tabs: the one that was opened last rates, the other says so and can take over', async () => {
    const { page, complaints, context } = await openPage(links[3]!);
    await begin(page);
    const { page: second } = await openPage(links[3]!, {}, context);
    await press(second, 'Start');
    await press(second, 'Continue');
    await ready(second);
    await answerByKeys(page);
    await heading(page, 'Rating goes on elsewhere');
    expect(await stored('tabs')).toEqual([]);
    await press(page, 'Go on here');
    // The answer that was refused there is taken here.
    await page.getByText('The left one is blurred.').waitFor();
    await answerByKeys(second);
    await heading(second, 'Rating goes on elsewhere');
    expect(await stored('tabs')).toHaveLength(1);
    expect(complaints).toEqual([]);
  }, 180_000);

  test('another rater on the same device: what the first could not send waits for them, and is nobody else s', async () => {
    const { links } = await openStudy({ raters: 2 }, ['first', 'second']);
    const { page, context } = await openPage(links[0]!);
    await begin(page);
    await page.route('**/graphql', (route) => route.abort());
    await answerByKeys(page);
    await page.getByText('Not saved yet: 1 answer').waitFor();
    const { page: second } = await openPage(links[1]!, {}, context);
    await begin(second);
    await page.unroute('**/graphql');
    await page.evaluate('dispatchEvent(new Event("focus"))');
    await heading(page, 'Signed out');
    await answerByKeys(second);
    await second.getByText('The left one is blurred.').waitFor();
    expect([await stored('first'), (await stored('second')).length]).toEqual([[], 1]);
    const { page: again } = await openPage(links[0]!, {}, context);
    await press(again, 'Start');
    await press(again, 'Continue');
    await again.getByText('The left one is blurred.').waitFor();
    expect(await stored('first')).toHaveLength(1);
  }, 180_000);

  test('stops: the study on hold and on again, failed checks with the lead s word, all places taken, an end, links that are no good', async () => {
    const { id, links } = await openStudy(
      { raters: 2, allowedFailures: 0, catchTrials: { instructed: 1, duplicates: 0, grossFailures: 0 } },
      ['careless', 'careful', 'late'],
    );
    const { page, complaints } = await openPage(links[0]!);
    await begin(page);
    await answerByKeys(page);
    await page.getByText('The left one is blurred.').waitFor();
    await page.keyboard.press('Enter');
    await step('pauseStudy', id);
    await ready(page);
    const look = () => page.evaluate('dispatchEvent(new Event("focus"))');
    await look();
    await heading(page, 'The study is on hold');
    await step('openStudy', id);
    await look();
    await ready(page);
    // The check is answered wrongly.
    while (!(await answerByKeys(page, '231231', (told) => (told === '1' ? '2' : '1')))) {
      // The check comes among the screens.
    }
    await heading(page, 'A short stop');
    await page.getByText("attention checks failed: 1; the study's lead looks at it").waitFor();
    const { page: other } = await openPage(links[1]!);
    await begin(other);
    const { page: third } = await openPage(links[2]!);
    await press(third, 'Start');
    await third.getByLabel('I have read this and agree to take part.').check();
    await press(third, 'Continue');
    await press(third, 'Start');
    await heading(third, 'All places are taken');
    await step('closeStudy', id);
    await other.evaluate('dispatchEvent(new Event("focus"))');
    await heading(other, 'The study has ended');

    await lab.services.store.pool.query(
      `UPDATE credential SET expires_at = now() - interval '1 day' WHERE kind = 'RATER_LINK'`,
    );
    const { page: late } = await openPage(links[2]!);
    await press(late, 'Start');
    await heading(late, 'This link does not work');
    await late.getByText('Ask who sent it for a new one.').waitFor();
    const { page: stranger } = await openPage(`${lab.url}/rate#${randomUUID()}`);
    await press(stranger, 'Start');
    await heading(stranger, 'This link does not work');
    const { page: lost } = await openPage(`${lab.url}/rate`);
    await heading(lost, 'Open your link');
    expect(complaints).toEqual([]);
  }, 180_000);
});
