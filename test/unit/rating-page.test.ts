// The rating page's thinking, without a browser: the sheet of answers, what waits to be sent, and where a rater stands.

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { readTrusted } from '../../src/api/trusted-documents.js';
import type {
  ScreenViewFragment as Screen,
  StudyViewFragment as Study,
} from '../../src/generated/web-operations.js';
import * as operations from '../../src/generated/web-operations.js';
import { adviceOn, inWords, savingLine } from '../../src/web/advice.js';
import {
  answersOf,
  clearLast,
  emptySheet,
  isComplete,
  move,
  responseMs,
  setValue,
} from '../../src/web/answer-sheet.js';
import { ApiError } from '../../src/web/api.js';
import { type Entry, openOutbox, pendingIn, type Shelf } from '../../src/web/outbox.js';
import { standing } from '../../src/web/phase.js';

const screen = (slotId: string, more: Partial<Screen> = {}): Screen => ({
  slotId,
  practice: false,
  instruction: null,
  pictures: [
    { id: `${slotId}b`, role: 'CANDIDATE', side: 1, url: '' },
    { id: `${slotId}a`, role: 'CANDIDATE', side: 0, url: '' },
    { id: `${slotId}s`, role: 'SOURCE', side: 0, url: '' },
  ],
  criteria: ['x', 'y'].map((name) => ({ name, question: '', values: ['1', '2', '3'] })),
  ...more,
});
const study = (more: Partial<Study> = {}): Study => ({
  id: 'Study_1',
  name: 'study',
  open: true,
  closed: false,
  state: 'ACTIVE',
  instructions: '',
  criteria: [],
  consentVersion: '1',
  consentText: '',
  tabId: 'tab',
  done: 0,
  total: 4,
  screen: screen('s1'),
  ahead: [screen('s2'), screen('s3')],
  undoSeconds: 0,
  pauseReason: null,
  completionCode: null,
  completionUrl: null,
  ...more,
});
const answer = (slotId: string, practice = false): Entry => ({
  kind: 'ANSWER',
  answerId: `a${slotId}`,
  slotId,
  practice,
  answers: [],
  responseMs: 1,
});
const undo = (slotId: string): Entry => ({ kind: 'UNDO', answerId: `u${slotId}`, slotId });

test('a sheet is filled criterion by criterion from left to right, corrected, and given as the API takes it', () => {
  let sheet = emptySheet(screen('s'));
  expect(sheet.cells.map(({ pictureId, criterion }) => `${pictureId}${criterion}`)).toEqual([
    'sax',
    'sbx',
    'say',
    'sby',
  ]);
  expect(clearLast(sheet)).toBeUndefined();
  for (const value of [1, 2]) sheet = setValue(sheet, sheet.active, value);
  sheet = move(sheet, -1, 0);
  expect(sheet.active).toBe(0);
  sheet = move(move(sheet, -1, 0), 0, -1);
  expect(sheet.active).toBe(0);
  // Answered again: the next that is open, not the next in the row.
  sheet = setValue(sheet, 0, 3);
  expect(sheet.active).toBe(2);
  for (const value of [1, 1]) sheet = setValue(sheet, sheet.active, value);
  expect([isComplete(sheet), sheet.active]).toEqual([true, 3]);
  expect(answersOf(sheet)).toEqual([
    { pictureId: 'sa', criterion: 'x', value: 3 },
    { pictureId: 'sb', criterion: 'x', value: 2 },
    { pictureId: 'sa', criterion: 'y', value: 1 },
    { pictureId: 'sb', criterion: 'y', value: 1 },
  ]);
  // A full sheet is gone through from its start.
  sheet = setValue({ ...sheet, active: 0 }, 0, 1);
  expect(sheet.active).toBe(1);
  expect(clearLast(sheet)!.values).toEqual([null, 2, 1, 1]);
  const told = setValue(
    emptySheet(screen('s', { instruction: 'answer 2', pictures: [], criteria: [] })),
    0,
    2,
  );
  expect(answersOf(told)).toEqual([{ value: 2 }]);
});

test('a response time is whole milliseconds, and of a screen that was left open for days the day that the API takes', () => {
  expect(responseMs(1000.4, 2500)).toBe(1500);
  expect(responseMs(0, 3 * 86_400_000)).toBe(86_400_000);
});

test('the outbox outlasts a reload, is each rater s own, and goes on in memory where storage fails', () => {
  const kept = new Map<string, string>();
  const shelf: Shelf = {
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => void kept.set(key, value),
    removeItem: (key) => void kept.delete(key),
  };
  const outbox = openOutbox(shelf, 'u1', 's');
  outbox.add(answer('s1'));
  outbox.add(answer('s2'));
  expect(openOutbox(shelf, 'u1', 's').entries()).toEqual([answer('s1'), answer('s2')]);
  expect(openOutbox(shelf, 'u2', 's').entries()).toEqual([]);
  outbox.remove('as1');
  outbox.remove('as1');
  expect(openOutbox(shelf, 'u1', 's').entries()).toEqual([answer('s2')]);
  outbox.remove('as2');
  expect(kept.size).toBe(0);
  const full = openOutbox(
    {
      ...shelf,
      setItem: () => {
        throw new Error('QuotaExceededError');
      },
    },
    'u1',
    's',
  );
  full.add(answer('s1'));
  full.add(answer('s2'));
  expect(full.entries()).toHaveLength(2);
});

test('what waits moves the screen on and back before the server knows', () => {
  const known = new Map(['s0', 's1', 's2', 's3'].map((id) => [id, screen(id)]));
  const shown = (entries: readonly Entry[], more: Partial<Study> = {}) => {
    const { phase, screen: now } = standing(study(more), 'tab', entries, known);
    return now ? `${phase} ${now.slotId}` : phase;
  };
  expect(pendingIn([answer('s1'), undo('s1'), answer('s1')]).answered).toEqual(new Set(['s1']));
  expect(shown([])).toBe('RATE s1');
  expect(shown([answer('s1')])).toBe('RATE s2');
  expect(shown([answer('s1'), answer('s2'), undo('s2')])).toBe('RATE s2');
  expect(shown([undo('s0')])).toBe('RATE s0');
  expect(shown([undo('s0'), answer('s0')])).toBe('RATE s1');
  expect(shown([undo('')])).toBe('WAIT');
  expect(shown(['s1', 's2', 's3'].map((id) => answer(id)))).toBe('WAIT');
  expect(shown([answer('s1', true)])).toBe('WAIT');
});

test('each stop has its phase, and an answer that waits is not finished', () => {
  const phase = (more: Partial<Study>, entries: readonly Entry[] = []) =>
    standing(study(more), 'tab', entries, new Map()).phase;
  expect(phase({ state: 'INVITED', tabId: null })).toBe('INVITED');
  expect(phase({ state: 'PAUSED' })).toBe('PAUSED');
  expect(phase({ state: 'REPLACED' })).toBe('REPLACED');
  expect(phase({ open: false })).toBe('ON_HOLD');
  expect(phase({ open: false, closed: true })).toBe('CLOSED');
  expect(phase({ tabId: 'other' })).toBe('TAKEN_OVER');
  expect(phase({ state: 'FINISHED', closed: true, open: false })).toBe('FINISHED');
  expect(phase({ state: 'FINISHED', screen: null, ahead: [] }, [undo('s9')])).toBe('WAIT');
});

test('refusals are sentences on what to do', () => {
  const tell = (code: ApiError['code'], field?: string, message = 'x') =>
    adviceOn(new ApiError(code, message, field));
  expect(tell('UNAUTHENTICATED', 'secret')).toMatch(/Ask who sent it/);
  expect(tell('CONFLICT', 'tabId')).toMatch(/take over here/);
  expect(tell('CONFLICT', 'studyId', 'an answer can be undone for 5 s')).toBe(
    'An answer can be undone for 5 s.',
  );
  expect(tell('LIMIT_REACHED', 'studyId')).toMatch(/places/);
  expect(tell('FORBIDDEN')).toMatch(/Open the link/);
  const lost = new ApiError('UNREACHABLE', 'x');
  expect(savingLine(2, lost)).toBe('Not saved yet: 2 answers, trying again.');
  expect(savingLine(1, lost)).toBe('Not saved yet: 1 answer, trying again.');
  expect(savingLine(1, new ApiError('INTERNAL', 'x'))).toMatch(/^Not saved yet: 1 answer.*tell who sent you/);
  expect(savingLine(3, null)).toBe('');
  expect([inWords(20), inWords(600), inWords(7200)]).toEqual([
    'in about a minute',
    'in about 10 minutes',
    'in about 2 hours',
  ]);
});

test('a server that runs only trusted documents runs those of the pages', () => {
  const manifest = JSON.parse(readFileSync('src/generated/trusted-documents.json', 'utf8'));
  const documents = Object.entries(operations).filter(([name]) => name.endsWith('Document'));
  expect(documents.length).toBeGreaterThan(5);
  for (const [, document] of documents) {
    const request = { query: String(document) };
    expect(readTrusted(request, { manifest, only: true })).toBe(request);
  }
});
